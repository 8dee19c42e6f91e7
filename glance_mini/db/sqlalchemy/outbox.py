"""Stored events: they are added with their change, given out in order, and deleted after their publication.

Events of one image are in the order of their ids, because a transaction that changes an image locks its row until the
end. A lock serializes claims, so that no process gets a later event of an image while another has an earlier one.
"""

from collections.abc import Iterable
from datetime import datetime

import orjson
from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, update

from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.models import outbox
from glance_mini.domain.event import Event
from glance_mini.operations.outbox import AddEvents, CountEvents, FinishEvents, ReleaseEvents, TakeEvents

_EARLIER = outbox.alias("earlier")
_NOW = bindparam("now", type_=outbox.c.claimed_until.type)

_INSERT = insert(outbox)
_FREE = (
    select(*(outbox.c[name] for name in ("event", "payload", "created_at", "priority", "caller", "image_id", "id")))
    .where(
        or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < _NOW),
        ~exists().where(
            _EARLIER.c.image_id == outbox.c.image_id,
            _EARLIER.c.id < outbox.c.id,
            _EARLIER.c.claimed_until >= _NOW,
        ),
    )
    .order_by(outbox.c.id)
    .limit(bindparam("rows"))
)
_CHOSEN = outbox.c.id.in_(bindparam("ids", expanding=True))
_CLAIM = update(outbox).where(_CHOSEN)
_RELEASE = _CLAIM.where(outbox.c.claimed_by == bindparam("holder"))
_DELETE = delete(outbox).where(_CHOSEN)
_COUNT = select(func.count()).select_from(outbox)


def add(connection: Connection, events: Iterable[Event], now: datetime) -> None:
    """Store ``events`` in their order."""
    # One statement for each event: rows of one statement may get their ids in another order.
    for event in events:
        connection.execute(_INSERT, _row(event, now))


def append(connection: Connection, call: AddEvents, now: datetime) -> None:
    """Store events without a change."""
    add(connection, call.events, now)


def look(connection: Connection, call: TakeEvents, now: datetime) -> bool:
    """Return whether there are any events."""
    return bool(_count(connection))


def take(connection: Connection, call: TakeEvents, now: datetime) -> tuple[Event, ...]:
    """Return unclaimed events, the oldest first, which the caller now holds."""
    locks.wait(connection, locks.TAKE_EVENTS)
    found = tuple(_to_event(row) for row in connection.execute(_FREE, {"now": now, "rows": call.max_rows}))
    if found:
        ids = [event.id for event in found]
        connection.execute(_CLAIM, {"ids": ids, "claimed_by": call.process, "claimed_until": now + call.claim})
    return found


def finish(connection: Connection, call: FinishEvents, now: datetime) -> None:
    """Delete events."""
    connection.execute(_DELETE, {"ids": list(call.event_ids)})


def release(connection: Connection, call: ReleaseEvents, now: datetime) -> None:
    """Release the events that the process still holds."""
    values = {"ids": list(call.event_ids), "holder": call.process, "claimed_by": None, "claimed_until": None}
    connection.execute(_RELEASE, values)


def count(connection: Connection, call: CountEvents) -> int:
    """Return the number of events."""
    return _count(connection)


def _count(connection: Connection) -> int:
    return connection.execute(_COUNT).scalar_one()


def _row(event: Event, now: datetime) -> dict[str, object]:
    return {
        "image_id": event.image_id,
        "event": event.type,
        "priority": event.priority,
        "payload": orjson.dumps(dict(event.payload)).decode(),
        "caller": orjson.dumps(dict(event.caller)).decode(),
        "created_at": now,
    }


def _to_event(row: RowValues) -> Event:
    kind, payload, created_at, priority, caller, image_id, number = row
    return Event(kind, orjson.loads(payload), priority, orjson.loads(caller), image_id, created_at, number)


QUERIES = {CountEvents: count}
WRITES = {AddEvents: append, TakeEvents: take, FinishEvents: finish, ReleaseEvents: release}
LOOKS = {TakeEvents: (look, ())}
"""For each call a read that returns whether the call may find something, and the result of the call if not."""
