"""The calls on the cache of this node, and reads through it; without a cache, reads go to the stores."""

import time
from collections.abc import Callable, Iterator

from glance_mini.cache.node import ImageCache
from glance_mini.cache.source import DataSource
from glance_mini.domain.cache import CacheListing, Pruned
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Invalid, NotFound
from glance_mini.domain.image import Image
from glance_mini.layers.base import Handler
from glance_mini.operations import cache
from glance_mini.operations.records import LoadImage
from glance_mini_store.buffers import Buffers

CACHE_CALLS = frozenset(operation.name for operation in cache.OPERATIONS if not operation.internal)
"""The operations on the cache."""


class CacheCalls:
    """Answers for ``cache``, None on a node without one; ``below`` is that of the layer."""

    def __init__(
        self, below: Handler, cache: ImageCache | None, stall_time: float, wake_caches: Callable[[], None]
    ) -> None:
        self._below = below
        self._found = cache
        self._stall_time = stall_time
        self._wake_caches = wake_caches

    def open(
        self, image: Image, source: DataSource, offset: int, length: int, buffers: Buffers, *, is_cached: bool = True
    ) -> Iterator[bytes]:
        """Return ``length`` bytes from ``offset`` of ``image``, opened. Raises what ``Source.open`` raises.

        ``is_cached`` False: these bytes are not those that the cache keeps of the image.
        """
        found = self._found if is_cached else None
        chunks = found.open(image, source, offset, length, buffers) if found is not None else None
        is_part = (offset, length) != (0, image.size)
        return chunks if chunks is not None else source.open(offset, length, is_part, buffers)

    def drop(self, image_id: str) -> None:
        """Remove an image that was deleted or deactivated; never raises."""
        if self._found is not None:
            self._found.drop_image(image_id)
            self._wake_caches()

    def list(self) -> CacheListing:
        """Return what is cached and queued."""
        return self._cache.listing()

    def queue(self, image: Image) -> None:
        """Queue ``image`` to be cached at once. Raises Invalid unless it is active."""
        cache = self._cache
        if image.status != "active":
            raise Invalid(reason=f"Only images with status active can be cached; image {image.id} is {image.status}.")
        cache.queue(image.id)

    def delete(self, context: Context, op: cache.DeleteCachedImage) -> None:
        """Remove an image from cache or queue. Raises NotFound if there was nothing and the image does not exist."""
        found, ids = self._cache, frozenset({op.image_id})
        removed = bool(cache.CACHED in op.targets and found.remove(ids))
        removed |= bool(cache.QUEUED in op.targets and found.catalog.unqueue(ids))
        if not removed:
            self._below(context, LoadImage(op.image_id))

    def clear(self, targets: frozenset[str]) -> int:
        """Remove all images from cache or queue and return their number."""
        found = self._cache
        cached = len(found.remove(None)) if cache.CACHED in targets else 0
        return cached + (found.catalog.unqueue(None) if cache.QUEUED in targets else 0)

    def clean(self) -> int:
        """Remove broken and stalled entries and return their number."""
        return self._cache.clean(self._stall_time, time.time())

    def prune(self) -> Pruned:
        """Reduce the cache to its size."""
        return self._cache.prune()

    def nodes(self, image: Image) -> tuple[str, ...]:
        """Return the nodes that have ``image``. Raises Conflict if that is not recorded centrally."""
        catalog = self._cache.catalog
        if not catalog.is_central:
            raise Conflict(reason="The nodes do not share what they record: image_cache_driver is not centralized_db.")
        return catalog.nodes(image.id)

    @property
    def _cache(self) -> ImageCache:
        if self._found is None:
            raise NotFound(kind="cache", id="image_cache_dir")
        return self._found
