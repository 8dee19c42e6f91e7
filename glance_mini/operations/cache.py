"""Operations on the cache of image data of a node, and the data calls on what is recorded about it.

All operations but ``ListCachedNodes`` are about the node that answers. They raise NotFound if it has no cache.
``is_older_call``: it was asked for by a path of the older API, which has one policy rule for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.cache import CachedSize, CacheListing, CacheRecord, Pruned
from glance_mini.operations.base import DataCall, DataQuery, ImageOperation, Operation

CACHED, QUEUED = "cache", "queue"
"""What ``ClearCache`` can empty."""


@dataclass(frozen=True)
class ListCache(Operation[CacheListing]):
    """Return what is cached, and what is queued to be cached."""

    name: ClassVar[str] = "list_cache"
    writes: ClassVar[bool] = False
    is_older_call: bool = False


@dataclass(frozen=True)
class CacheImage(ImageOperation[None]):
    """Queue an active image to be cached at once. Raises Invalid for an image that is not active."""

    name: ClassVar[str] = "add_to_cache"
    is_older_call: bool = False


@dataclass(frozen=True)
class DeleteCachedImage(Operation[None]):
    """Remove an image from ``targets``. Raises NotFound if there is neither the image nor an entry for it."""

    name: ClassVar[str] = "delete_from_cache"
    image_id: str
    targets: frozenset[str] = frozenset({CACHED, QUEUED})
    is_older_call: bool = False


@dataclass(frozen=True)
class ClearCache(Operation[int]):
    """Remove all images from ``targets`` and return the number of removed images."""

    name: ClassVar[str] = "clear_cache"
    targets: frozenset[str]
    is_older_call: bool = False


@dataclass(frozen=True)
class CleanCache(Operation[int]):
    """Remove broken entries, leftovers, and incomplete entries that were long unused; return their number."""

    name: ClassVar[str] = "clean_cache"


@dataclass(frozen=True)
class PruneCache(Operation[Pruned]):
    """Remove the longest unused images until the others are within the size of the cache."""

    name: ClassVar[str] = "prune_cache"


@dataclass(frozen=True)
class ListCachedNodes(ImageOperation[tuple[str, ...]]):
    """Return the URLs of the nodes that have all data of an image in their cache.

    Raises Conflict unless the nodes record it in the database that they share.
    """

    name: ClassVar[str] = "list_cached_nodes"
    writes: ClassVar[bool] = False


@dataclass(frozen=True)
class ListCacheRecords(DataQuery[tuple[CacheRecord, ...]]):
    """Return what is recorded about the cache of ``node``, also about images that are not there any more."""

    name: ClassVar[str] = "list_cache_records"
    node: str


@dataclass(frozen=True)
class RecordCacheHits(DataCall[None]):
    """Add ``hits`` by image to the records of ``node``, and note that the images were used now."""

    name: ClassVar[str] = "record_cache_hits"
    node: str
    hits: Mapping[str, int]


@dataclass(frozen=True)
class RecordCached(DataCall[None]):
    """Record how much of some images ``node`` has in its cache."""

    name: ClassVar[str] = "record_cached"
    may_repeat: ClassVar[bool] = True
    node: str
    sizes: tuple[CachedSize, ...]


@dataclass(frozen=True)
class ForgetCached(DataCall[int]):
    """Remove the records of images of ``node`` and return their number.

    ``image_ids`` None: of the images of which nothing is there and that were not used for ``unused``.
    """

    name: ClassVar[str] = "forget_cached"
    may_repeat: ClassVar[bool] = True
    node: str
    image_ids: frozenset[str] | None = None
    unused: timedelta = timedelta(0)


@dataclass(frozen=True)
class QueueCaching(DataCall[None]):
    """Queue an image to be cached by ``node``, unless it is queued."""

    name: ClassVar[str] = "queue_caching"
    may_repeat: ClassVar[bool] = True
    node: str
    image_id: str


@dataclass(frozen=True)
class ListCachingQueue(DataQuery[tuple[str, ...]]):
    """Return the images that are queued to be cached by ``node``, the oldest first."""

    name: ClassVar[str] = "list_caching_queue"
    node: str


@dataclass(frozen=True)
class UnqueueCaching(DataCall[int]):
    """Remove images from the queue of ``node``, all if ``image_ids`` is None, and return their number."""

    name: ClassVar[str] = "unqueue_caching"
    may_repeat: ClassVar[bool] = True
    node: str
    image_ids: frozenset[str] | None = None


@dataclass(frozen=True)
class FindCachedNodes(DataQuery[tuple[str, ...]]):
    """Return the nodes that have all data of an image, in order."""

    name: ClassVar[str] = "find_cached_nodes"
    image_id: str


@dataclass(frozen=True)
class ListPopularImages(DataQuery[tuple[str, ...]]):
    """Return up to ``limit`` images, those first that the caches of all recorded nodes answered most often."""

    name: ClassVar[str] = "list_popular_images"
    limit: int


@dataclass(frozen=True)
class ListInactiveImages(DataQuery[frozenset[str]]):
    """Return those of ``image_ids`` that are no active images."""

    name: ClassVar[str] = "list_inactive_images"
    image_ids: frozenset[str]


OPERATIONS: tuple[type[Operation[object]], ...] = (
    ListCache,
    CacheImage,
    DeleteCachedImage,
    ClearCache,
    CleanCache,
    PruneCache,
    ListCachedNodes,
    ListCacheRecords,
    RecordCacheHits,
    RecordCached,
    ForgetCached,
    QueueCaching,
    ListCachingQueue,
    UnqueueCaching,
    FindCachedNodes,
    ListPopularImages,
    ListInactiveImages,
)
