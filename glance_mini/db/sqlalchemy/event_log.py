"""The log of events: each change notes its events, and the end of its transaction stores them.

A row gets its id just before the commit, so that the ids of changes at the same time are in nearly the order in which
they become visible.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import orjson
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.models import event_log, image_members
from glance_mini.domain.event_log import NOBODY, Audience, LoggedEvent
from glance_mini.operations.event_log import ReadEvents, ReadLastEvents, RemoveEvents

_NOTED = "noted_events"
"""The key in ``info`` of a connection for the events of its transaction; absent if no log is kept."""

_INSERT = insert(event_log)
_COLUMNS = (event_log.c.id, event_log.c.type, event_log.c.body)
_BEHIND = event_log.c.id > bindparam("after")
_IN_ORDER = select(*_COLUMNS).order_by(event_log.c.id).limit(bindparam("rows"))
_READ = _IN_ORDER.where(_BEHIND)
_READ_MISSING = _IN_ORDER.where(
    # SQLite would read the table for the second condition alone.
    event_log.c.id >= bindparam("first"),
    or_(_BEHIND, event_log.c.id.in_(bindparam("missing", expanding=True))),
)
_READ_LAST = select(*_COLUMNS).order_by(event_log.c.id.desc()).limit(bindparam("rows"))
_MEMBERS = select(image_members.c.image_id, image_members.c.member).where(
    image_members.c.image_id.in_(bindparam("images", expanding=True))
)
_LAST = select(func.max(event_log.c.id))
_OLDEST = select(event_log.c.id, event_log.c.created_at).order_by(event_log.c.id).limit(bindparam("rows"))
_DELETE = delete(event_log).where(event_log.c.id <= bindparam("last"))


def begin(connection: Connection) -> None:
    """Take note of the events of the transaction that begins."""
    connection.info[_NOTED] = []


def is_kept(connection: Connection) -> bool:
    """Return whether the events of this transaction are stored."""
    return _NOTED in connection.info


def note(connection: Connection, event: LoggedEvent | None) -> None:
    """Store ``event`` at the end of the transaction, if a log is kept; None is no event."""
    noted = connection.info.get(_NOTED)
    if noted is not None and event is not None:
        noted.append(event)


def commit(connection: Connection, now: datetime) -> None:
    """Store the events of the transaction and commit it."""
    noted = connection.info.pop(_NOTED, None)
    if noted and connection.dialect.name == "postgresql":
        # The commit goes in the same round trip.
        text = f"{_insert_text(connection, noted, now)};COMMIT"
        connection.exec_driver_sql(text, None, {"no_parameters": True})
        return
    if noted:
        connection.execute(_INSERT, [_row(event, now) for event in noted])
    connection.exec_driver_sql("COMMIT")


def forget(connection: Connection) -> None:
    """Drop the events of a transaction that is rolled back."""
    connection.info.pop(_NOTED, None)


def read(connection: Connection, call: ReadEvents) -> tuple[LoggedEvent, ...]:
    """Return the events above an id or among some ids, in the order of their ids."""
    values: dict[str, object] = {"after": call.after, "rows": call.max_rows}
    if not call.missing:
        return _events(connection, connection.execute(_READ, values).all())
    values |= {"missing": list(call.missing), "first": min(*call.missing, call.after)}
    return _events(connection, connection.execute(_READ_MISSING, values).all())


def read_last(connection: Connection, call: ReadLastEvents) -> tuple[LoggedEvent, ...]:
    """Return the last events in the order of their ids."""
    return _events(connection, connection.execute(_READ_LAST, {"rows": call.max_rows}).all()[::-1])


def remove(connection: Connection, call: RemoveEvents, now: datetime) -> int:
    """Remove the oldest events, but not the last one; return their number."""
    last = connection.execute(_LAST).scalar()
    rows = connection.execute(_OLDEST, {"rows": call.max_rows}).all()
    # The ids are in the order of the ends of the changes: one that took long may be older than the one before it.
    old: list[int] = []
    for number, created_at in rows:
        if number == last or created_at >= now - call.age:
            break
        old.append(number)
    if old:
        connection.execute(_DELETE, {"last": old[-1]})
    return len(old)


def _events(connection: Connection, rows: Sequence[RowValues]) -> tuple[LoggedEvent, ...]:
    bodies = [(number, kind, orjson.loads(body)) for number, kind, body in rows]
    shared = {
        image_id
        for _, _, body in bodies
        for name in ("after", "before")
        if (image_id := body.get(name, {}).get("members_of")) is not None
    }
    members: dict[str, list[str]] = {}
    if shared:
        for image_id, member in connection.execute(_MEMBERS, {"images": sorted(shared)}):
            members.setdefault(image_id, []).append(member)
    return tuple(
        LoggedEvent(kind, body["data"], _audience(body["after"], members), _audience(body.get("before"), members), id=n)
        for n, kind, body in bodies
    )


def _audience(value: dict[str, object] | None, members: dict[str, list[str]]) -> Audience:
    if value is None:
        return NOBODY
    projects = cast(list[str], value.get("projects", []))
    return Audience(bool(value.get("everyone")), (*projects, *members.get(str(value.get("members_of")), ())))


def _row(event: LoggedEvent, now: datetime) -> dict[str, object]:
    body: dict[str, object] = {"data": dict(event.data), "after": _body(event.after)}
    if event.before != NOBODY:
        body["before"] = _body(event.before)
    return {"created_at": now, "type": event.type, "body": orjson.dumps(body, option=_TIMES).decode()}


_TIMES = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def _body(audience: Audience) -> dict[str, object]:
    if audience.everyone:
        return {"everyone": True}
    body: dict[str, object] = {"projects": audience.projects}
    return body if audience.members_of is None else {**body, "members_of": audience.members_of}


def _insert_text(connection: Connection, events: Sequence[LoggedEvent], now: datetime) -> str:
    """Return the insert of ``events`` with its values in it, for PostgreSQL."""
    from psycopg.pq import Escaping

    escape = Escaping(connection.connection.driver_connection.pgconn).escape_literal  # type: ignore[union-attr]
    rows = [
        ",".join(bytes(escape(str(value).encode())).decode() for value in _row(event, now).values()) for event in events
    ]
    return f"INSERT INTO event_log (created_at,type,body) VALUES ({'),('.join(rows)})"


QUERIES = {ReadEvents: read, ReadLastEvents: read_last}
WRITES = {RemoveEvents: remove}
