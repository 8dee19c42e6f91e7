"""What is recorded about the cache of a node: hits, times and the queue, in a file of the node or the shared database.

The files of the cache are the truth about what is cached; the records follow them.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from glance_mini.cache.directory import Kept
from glance_mini.db.interface import DataAccess
from glance_mini.domain.cache import CachedSize, CacheListing, CacheRecord
from glance_mini.operations.cache import (
    FindCachedNodes,
    ForgetCached,
    ListCacheRecords,
    ListCachingQueue,
    ListPopularImages,
    QueueCaching,
    RecordCached,
    RecordCacheHits,
    UnqueueCaching,
)

LOG = logging.getLogger(__name__)

HISTORY = timedelta(days=30)
"""How long the hits of an image that is not cached any more are remembered."""

_MAX_WAITING = 10_000
"""Images whose hits may wait to be recorded; further ones are not counted while the database is away."""


class Catalog:
    """The records of ``node``, answered by ``data``; ``is_central``: all nodes record there."""

    def __init__(self, data: DataAccess, node: str, is_central: bool) -> None:
        self.node = node
        self.is_central = is_central
        self._data = data
        self._hits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file of the node; the shared database belongs to others."""
        if not self.is_central:
            self._data.close()

    def note(self, image_id: str, hits: int) -> None:
        """Count a use of an image; it is recorded by the next ``flush``."""
        with self._lock:
            if image_id in self._hits or len(self._hits) < _MAX_WAITING:
                self._hits[image_id] += hits

    def flush(self) -> None:
        """Record the uses since the last time; raises Unavailable, and then keeps them."""
        with self._lock:
            hits, self._hits = self._hits, Counter()
        if not hits:
            return
        try:
            self._data.run(RecordCacheHits(self.node, dict(hits)))
        except BaseException:
            for image_id, count in hits.items():
                self.note(image_id, count)
            raise

    def follow(self, kept: Iterable[Kept]) -> None:
        """Let the records have the sizes of the files; raises Unavailable."""
        sizes = {each.image_id: CachedSize(each.image_id, each.cached, each.is_complete) for each in kept}
        known = {each.image_id: each for each in self._data.run(ListCacheRecords(self.node))}
        for image_id in known.keys() - sizes.keys():
            sizes[image_id] = CachedSize(image_id, 0, False)
        changed = tuple(size for size in sizes.values() if _differs(known.get(size.image_id), size))
        if changed:
            self._data.run(RecordCached(self.node, changed))
        self._data.run(ForgetCached(self.node, unused=HISTORY))

    def forget(self, image_ids: frozenset[str]) -> None:
        """Remove the records of images that do not exist any more, and their places in the queue."""
        self._data.run(ForgetCached(self.node, image_ids))
        self._data.run(UnqueueCaching(self.node, image_ids))

    def known(self) -> frozenset[str]:
        """Return the images with a record or a place in the queue."""
        return frozenset((*(each.image_id for each in self._data.run(ListCacheRecords(self.node))), *self.queued()))

    def listing(self, kept: Iterable[Kept]) -> CacheListing:
        """Return the complete images, with their hits, and the queue. Raises Unavailable."""
        self.flush()
        records = {each.image_id: each for each in self._data.run(ListCacheRecords(self.node))}
        complete = {each.image_id: each for each in kept if each.is_complete}
        shown = [_listed(each, records.get(each.image_id)) for each in complete.values()]
        return CacheListing(tuple(sorted(shown, key=lambda each: each.image_id)), self.queued())

    def hits(self) -> Mapping[str, int]:
        """Return the hits by image."""
        self.flush()
        return {each.image_id: each.hits for each in self._data.run(ListCacheRecords(self.node))}

    def popular(self, limit: int) -> tuple[str, ...]:
        """Return the images with the most hits."""
        self.flush()
        return self._data.run(ListPopularImages(limit))

    def nodes(self, image_id: str) -> tuple[str, ...]:
        """Return the nodes that have all of an image."""
        return self._data.run(FindCachedNodes(image_id))

    def queue(self, image_id: str) -> None:
        """Queue an image."""
        self._data.run(QueueCaching(self.node, image_id))

    def queued(self) -> tuple[str, ...]:
        """Return the queue, the oldest first."""
        return self._data.run(ListCachingQueue(self.node))

    def unqueue(self, image_ids: frozenset[str] | None) -> int:
        """Remove images from the queue, all if None, and return their number."""
        return self._data.run(UnqueueCaching(self.node, image_ids))


def _differs(record: CacheRecord | None, size: CachedSize) -> bool:
    return record is None or (record.size, record.is_complete) != (size.size, size.is_complete)


def _listed(kept: Kept, record: CacheRecord | None) -> CacheRecord:
    used, changed = (datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at in (kept.used_at, kept.changed_at))
    hits = record.hits if record else 0
    accessed = record.last_accessed if record else used
    return CacheRecord(kept.image_id, kept.size, True, hits, accessed, changed)
