"""Pending deletions: data that no image refers to any more and that must be deleted from its store."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.models import deletions
from glance_mini.domain.image import Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.operations.records import FinishRemoval, HoldRemoval, ListRemovals, TakeDueRemovals

GRACE = timedelta(seconds=60)
"""How long a new deletion is left to the request that made it, before it is due for others."""

BATCH = 100

_COLUMNS = tuple(deletions.c[name] for name in ("id", "image_id", "value", "meta_data", "node_url", "due_at"))
_OF_IMAGE = select(*_COLUMNS).where(deletions.c.image_id == bindparam("image")).order_by(deletions.c.id)
_DUE = (
    select(*_COLUMNS)
    .where(
        deletions.c.due_at <= bindparam("now", type_=deletions.c.due_at.type),
        or_(deletions.c.node_url.is_(None), deletions.c.node_url == bindparam("node")),
    )
    .order_by(deletions.c.due_at, deletions.c.id)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_CHOSEN = deletions.c.id.in_(bindparam("ids", expanding=True))
_POSTPONE = update(deletions).where(_CHOSEN)
_HOLD = update(deletions).where(
    deletions.c.id == bindparam("deletion"), deletions.c.due_at == bindparam("held", type_=deletions.c.due_at.type)
)
_DELETE = delete(deletions).where(_CHOSEN)
_INSERT = insert(deletions)


def of_image(connection: Connection, call: ListRemovals) -> tuple[DataRemoval, ...]:
    """Return the pending deletions of an image, oldest first."""
    return tuple(_to_deletion(row) for row in connection.execute(_OF_IMAGE, {"image": call.image_id}))


def add(
    connection: Connection, image_id: str, locations: Iterable[Location], now: datetime, node_url: str | None = None
) -> None:
    """Make pending deletions of ``locations``, due after ``GRACE``.

    If ``node_url`` is given, they are due at once for that node only, because another node may serve the request.
    """
    rows = [
        {
            "image_id": image_id,
            "value": location.url,
            "meta_data": orjson.dumps(location.metadata).decode(),
            "due_at": now if node_url else now + GRACE,
            "node_url": node_url,
        }
        for location in locations
    ]
    if rows:
        connection.execute(_INSERT, rows)


def take_due(connection: Connection, call: TakeDueRemovals, now: datetime) -> tuple[DataRemoval, ...]:
    """Return deletions due at ``now`` and postpone them, so that no other caller gets them.

    Data on a node's own disk is left to that node; ``node_url`` is the calling node, None for the only node.
    """
    retry_at = now + call.retry
    rows = connection.execute(_DUE, {"now": now, "node": call.node_url})
    found = tuple(replace(_to_deletion(row), due_at=retry_at) for row in rows)
    if found:
        connection.execute(_POSTPONE, {"ids": [one.id for one in found], "due_at": retry_at})
    return found


def hold(connection: Connection, call: HoldRemoval, now: datetime) -> bool:
    """Postpone a taken deletion; return False if it is gone or another process has taken it."""
    deletion = call.deletion
    values = {"deletion": deletion.id, "held": deletion.due_at, "due_at": now + call.retry}
    return connection.execute(_HOLD, values).rowcount == 1


def finish(connection: Connection, call: FinishRemoval, now: datetime) -> None:
    """Remove a deletion; do nothing if it does not exist."""
    remove(connection, [call.removal_id])


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Remove the deletions ``ids`` that exist."""
    connection.execute(_DELETE, {"ids": ids})


def _to_deletion(row: RowValues) -> DataRemoval:
    identity, image_id, url, metadata, node_url, due_at = row
    return DataRemoval(identity, image_id, url, orjson.loads(metadata), node_url, due_at)


QUERIES = {ListRemovals: of_image}
WRITES = {TakeDueRemovals: take_due, HoldRemoval: hold, FinishRemoval: finish}
