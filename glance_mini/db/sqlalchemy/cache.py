"""What nodes record about their caches of image data (api-cache)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from glance_mini.db.sqlalchemy.missing import insert_missing
from glance_mini.db.sqlalchemy.models import cache_queue, cached_images, images
from glance_mini.domain.cache import CacheRecord
from glance_mini.operations.cache import (
    FindCachedNodes,
    ForgetCached,
    ListCacheRecords,
    ListCachingQueue,
    ListInactiveImages,
    ListPopularImages,
    QueueCaching,
    RecordCached,
    RecordCacheHits,
    UnqueueCaching,
)

_BATCH = 500
_ROW = cached_images.c
_QUEUED = cache_queue.c


def list_records(connection: Connection, call: ListCacheRecords) -> tuple[CacheRecord, ...]:
    """Return the records of one node."""
    columns = (_ROW.image_id, _ROW.size, _ROW.is_complete, _ROW.hits, _ROW.last_accessed, _ROW.last_modified)
    rows = connection.execute(select(*columns).where(_ROW.node == call.node).order_by(_ROW.image_id))
    return tuple(CacheRecord(*row) for row in rows)


def record_hits(connection: Connection, call: RecordCacheHits, now: datetime) -> None:
    """Add hits, always in the same order."""
    for image_id, hits in sorted(call.hits.items()):
        _ensure(connection, call.node, image_id, now)
        values = {"hits": _ROW.hits + hits, "last_accessed": now}
        connection.execute(update(cached_images).where(_of(call.node, image_id)).values(values))


def record_sizes(connection: Connection, call: RecordCached, now: datetime) -> None:
    """Set sizes, always in the same order."""
    for cached in sorted(call.sizes, key=lambda each: each.image_id):
        _ensure(connection, call.node, cached.image_id, now)
        values = {"size": cached.size, "is_complete": cached.is_complete, "last_modified": now}
        connection.execute(update(cached_images).where(_of(call.node, cached.image_id)).values(values))


def _ensure(connection: Connection, node: str, image_id: str, now: datetime) -> None:
    empty = {"size": 0, "is_complete": False, "hits": 0, "last_accessed": now, "last_modified": now}
    insert_missing(connection, cached_images, {"node": node, "image_id": image_id, **empty})


def _of(node: str, image_id: str) -> ColumnElement[bool]:
    return (_ROW.node == node) & (_ROW.image_id == image_id)


def forget(connection: Connection, call: ForgetCached, now: datetime) -> int:
    """Remove records of one node."""
    unwanted = delete(cached_images).where(_ROW.node == call.node)
    if call.image_ids is None:
        unused = (_ROW.size == 0) & (_ROW.last_accessed <= now - call.unused)
        return connection.execute(unwanted.where(unused)).rowcount
    return sum(
        connection.execute(unwanted.where(_ROW.image_id.in_(batch))).rowcount for batch in _batches(call.image_ids)
    )


def queue(connection: Connection, call: QueueCaching, now: datetime) -> None:
    """Add a row to the queue; one that is there stays."""
    insert_missing(connection, cache_queue, {"node": call.node, "image_id": call.image_id, "queued_at": now})


def list_queue(connection: Connection, call: ListCachingQueue) -> tuple[str, ...]:
    """Return the queue of one node."""
    query = select(_QUEUED.image_id).where(_QUEUED.node == call.node).order_by(_QUEUED.queued_at, _QUEUED.image_id)
    return tuple(connection.scalars(query))


def unqueue(connection: Connection, call: UnqueueCaching, now: datetime) -> int:
    """Remove rows of the queue of one node."""
    unwanted = delete(cache_queue).where(_QUEUED.node == call.node)
    if call.image_ids is None:
        return connection.execute(unwanted).rowcount
    return sum(
        connection.execute(unwanted.where(_QUEUED.image_id.in_(batch))).rowcount for batch in _batches(call.image_ids)
    )


def find_nodes(connection: Connection, call: FindCachedNodes) -> tuple[str, ...]:
    """Return the nodes with a complete entry."""
    query = select(_ROW.node).where(_ROW.image_id == call.image_id, _ROW.is_complete).order_by(_ROW.node)
    return tuple(connection.scalars(query))


def list_popular(connection: Connection, call: ListPopularImages) -> tuple[str, ...]:
    """Return the images with the most hits of all nodes together."""
    hits = func.sum(_ROW.hits)
    query = select(_ROW.image_id).group_by(_ROW.image_id).having(hits > 0)
    return tuple(connection.scalars(query.order_by(hits.desc(), _ROW.image_id).limit(call.limit)))


def list_inactive(connection: Connection, call: ListInactiveImages) -> frozenset[str]:
    """Return the images that are not active."""
    active: set[str] = set()
    for batch in _batches(call.image_ids):
        active.update(
            connection.scalars(select(images.c.id).where(images.c.id.in_(batch), images.c.status == "active"))
        )
    return call.image_ids - active


def _batches(image_ids: frozenset[str]) -> list[Sequence[str]]:
    ordered = sorted(image_ids)
    return [ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]


QUERIES = {
    ListCacheRecords: list_records,
    ListCachingQueue: list_queue,
    FindCachedNodes: find_nodes,
    ListPopularImages: list_popular,
    ListInactiveImages: list_inactive,
}
WRITES = {
    RecordCacheHits: record_hits,
    RecordCached: record_sizes,
    ForgetCached: forget,
    QueueCaching: queue,
    UnqueueCaching: unqueue,
}
