"""The cache of one node, as the layers, the commands and the background work use it."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from glance_mini.cache.catalog import Catalog
from glance_mini.cache.directory import CacheDirectory, Kept, Removed, image_of
from glance_mini.cache.entry import BLOCK, Entry
from glance_mini.cache.fills import Fills
from glance_mini.cache.reading import CachedChunks, CachedFile
from glance_mini.cache.source import DataSource, name_of
from glance_mini.domain.cache import CacheListing, Pruned
from glance_mini.domain.image import Image
from glance_mini.metrics import Metrics
from glance_mini_store.buffers import TRANSFER, Buffers
from glance_mini_store.errors import StoreError

LOG = logging.getLogger(__name__)


class ImageCache:
    """The cache of this node; one object in each of its processes."""

    def __init__(self, directory: CacheDirectory, catalog: Catalog, metrics: Metrics, max_fills: int) -> None:
        """``max_fills`` is how many fills this process may run at once."""
        self.directory = directory
        self.catalog = catalog
        self._metrics = metrics
        self._fills = Fills(directory, max_fills)
        self.on_queued: Callable[[], object] = lambda: None
        """Called after an image was queued; it never blocks."""

    def close(self) -> None:
        """Let the fills end, and close the catalog."""
        self._fills.close()
        self.catalog.close()

    # reading

    def open(
        self, image: Image, source: DataSource, offset: int, length: int, buffers: Buffers | None = None
    ) -> Iterator[bytes] | None:
        """Return ``length`` bytes from ``offset`` of ``image`` through the cache; None if it cannot serve them.

        The iterator has ``close``, and ``file`` if the kernel may send a file. ``buffers`` as for ``Source.open``.
        Raises what ``Source.open`` raises.
        """
        if image.status != "active" or not image.size or not length or image.size > self.directory.limit:
            return None
        try:
            return self._open(image, image.size, source, offset, length, buffers)
        except OSError as error:
            self._fills.note_failure(error)
            return None

    def _open(
        self, image: Image, size: int, source: DataSource, offset: int, length: int, buffers: Buffers | None
    ) -> Iterator[bytes] | None:
        is_local = self.is_local(source)
        entry = self._entry(image, size, fills=not is_local)
        if entry is None:
            return None
        with ExitStack() as held:
            held.callback(entry.close)
            is_file = entry.is_verified()
            is_hit = is_file or entry.missing(offset // BLOCK, -(-(offset + length) // BLOCK)) is None
            if is_local and not is_hit:
                return None
            if buffers is not None and not (is_file and length == size):
                held.enter_context(buffers.share(TRANSFER))
            data = self._read(image, entry, source, offset, length, is_file)
            data.held = held.pop_all()
        if isinstance(data, CachedChunks):
            data.open(is_hit)
        self._metrics.cache_reads.labels("hit" if is_hit else "miss").inc()
        self.catalog.note(image.id, int(is_hit))
        return data

    def _entry(self, image: Image, size: int, fills: bool) -> Entry | None:
        open_entry = self.directory.open_or_make if fills else self.directory.open
        entry = open_entry(name_of(image), size)
        if entry is not None:
            entry.touch()
        return entry

    def _read(
        self, image: Image, entry: Entry, source: DataSource, offset: int, length: int, is_file: bool
    ) -> CachedFile | CachedChunks:
        """Return the data as a file if it is verified, else in blocks."""
        count = self._metrics.cache_bytes.inc
        if not is_file:
            return CachedChunks(image, entry, source, self._fills, offset, length, count)
        count(length)
        return CachedFile(entry, offset, length)

    def is_local(self, source: DataSource) -> bool:
        """Return whether the first location is a file on the file system of the cache, which is as fast itself."""
        for location in source.locations[:1]:
            try:
                devices = source.stores.for_location(location.url, location.store).devices()
            except StoreError:
                return False
            return self.directory.device() in devices
        return False

    def fetch(self, image: Image, source: DataSource) -> bool:
        """Bring all data of an active image into the cache, and return whether it is there.

        Blocks as long as the stores. Raises what ``Source.open`` raises, and OSError.
        """
        size = image.size or 0
        if not size or size > self.directory.limit:
            return False
        entry = self._entry(image, size, fills=True)
        if entry is None:
            return False
        chunks = CachedChunks(image, entry, source, self._fills, 0, size, lambda count: None)
        chunks.held.callback(entry.close)
        try:
            return entry.is_verified() or chunks.fetch()
        finally:
            chunks.close()

    def end_unwanted_fills(self) -> None:
        """End the reads of stores that nobody waits for any more."""
        self._fills.end_unwanted()

    # the API

    def listing(self) -> CacheListing:
        """Return what is cached and queued."""
        return self.catalog.listing(self.directory.list())

    def queue(self, image_id: str) -> None:
        """Queue an image, and start to cache it."""
        self.catalog.queue(image_id)
        self.on_queued()

    def remove(self, image_ids: frozenset[str] | None) -> frozenset[str]:
        """Remove images, all if None, from the cache, and return those that were removed."""
        names = [name for name in self.directory.names() if image_ids is None or image_of(name) in image_ids]
        removed = frozenset(image_of(name) for name in names if self._evict([name], "asked", is_forced=True).files)
        if removed:
            self.catalog.follow(self.directory.list())
        return removed

    def drop_image(self, image_id: str) -> None:
        """Remove an image that was deleted or deactivated; errors are only logged, and the keeper tries again."""
        try:
            self.drop(name for name in self.directory.names() if image_of(name) == image_id)
        except OSError as error:
            LOG.warning("Image %s could not be removed from the cache: %s", image_id, error)

    def clean(self, stalled: float, now: float) -> int:
        """Remove leftovers, and incomplete entries that nobody used for ``stalled`` seconds; return their number."""
        old = [each.name for each in self.directory.list() if not each.is_complete and now - each.used_at > stalled]
        return self.directory.clean() + self._evict(old, "stalled").files

    def prune(self) -> Pruned:
        """Remove the longest unused images until the others are within the limit."""
        removed = self.directory.shrink()
        self._metrics.cache_evictions.labels("size").inc(removed.files)
        return Pruned(removed.files, removed.bytes)

    def expire(self, unused: float, now: float) -> Removed:
        """Remove images unused for ``unused`` seconds."""
        return self._evict((each.name for each in self.directory.list() if now - each.used_at > unused), "age")

    def drop(self, names: Iterable[str]) -> Removed:
        """Remove entries whose images are not active any more."""
        return self._evict(names, "gone", is_forced=True)

    def measure(self, kept: Iterable[Kept]) -> None:
        """Let the metrics have the size of the cache."""
        self._metrics.cache_size.set(sum(each.disk for each in kept))

    def _evict(self, names: Iterable[str], reason: str, *, is_forced: bool = False) -> Removed:
        removed = self.directory.remove(names, is_forced=is_forced)
        self._metrics.cache_evictions.labels(reason).inc(removed.files)
        return removed
