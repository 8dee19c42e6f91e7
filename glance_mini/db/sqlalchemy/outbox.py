"""Stored events: added with the change they tell of, given out in order, forgotten when published (DESIGN).

Events of one image are in the order of their ids, because who changes an image holds its row until the end. They are
taken by turns, so that nobody gets a later event of an image while somebody else has an earlier one.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, update

from glance_mini.db.outbox_interface import EventsOf, OutboxEvent
from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.database import Then
from glance_mini.db.sqlalchemy.models import outbox

_EARLIER = outbox.alias("earlier")
_NOW: Any = bindparam("now", type_=outbox.c.claimed_until.type)

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


def recorder(events_of: EventsOf) -> Then:
    """Return the last part of a transaction: it stores the events that ``events_of`` makes of the result."""
    return lambda connection, result: add(connection, events_of(result))


def add(connection: Connection, events: Iterable[OutboxEvent]) -> None:
    """Store ``events`` in their order."""
    # One by one: several rows of one statement may get their ids in another order.
    for event in events:
        connection.execute(_INSERT, _row(event))


def take(
    connection: Connection, process: str, now: datetime, claimed_until: datetime, max_rows: int
) -> Sequence[OutboxEvent]:
    """Return up to ``max_rows`` events that nobody has, the oldest first, now given to ``process``."""
    locks.wait(connection, locks.TAKE_EVENTS)
    found = [_to_event(row) for row in connection.execute(_FREE, {"now": now, "rows": max_rows})]
    if found:
        ids = [event.id for event in found]
        connection.execute(_CLAIM, {"ids": ids, "claimed_by": process, "claimed_until": claimed_until})
    return found


def remove(connection: Connection, event_ids: Collection[int]) -> None:
    """Forget the events ``event_ids``."""
    connection.execute(_DELETE, {"ids": list(event_ids)})


def release(connection: Connection, process: str, event_ids: Collection[int]) -> None:
    """Give those events back that ``process`` still has."""
    values = {"ids": list(event_ids), "holder": process, "claimed_by": None, "claimed_until": None}
    connection.execute(_RELEASE, values)


def count(connection: Connection) -> int:
    """Return how many events there are."""
    return connection.execute(_COUNT).scalar_one()


def _row(event: OutboxEvent) -> dict[str, Any]:
    return {
        "image_id": event.image_id,
        "event": event.type,
        "priority": event.priority,
        "payload": orjson.dumps(dict(event.payload)).decode(),
        "caller": orjson.dumps(dict(event.caller)).decode(),
        "created_at": event.created_at,
    }


def _to_event(row: Any) -> OutboxEvent:
    kind, payload, created_at, priority, caller, image_id, number = row
    return OutboxEvent(kind, orjson.loads(payload), created_at, priority, orjson.loads(caller), image_id, number)
