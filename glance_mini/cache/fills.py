"""Fills: each reads a run of blocks from the stores in a thread of its own, at the speed of the store.

Readers only wait for the blocks, so a slow one holds up nobody. A fill ends when nobody has the entry open any more.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from glance_mini.cache.directory import CacheDirectory
from glance_mini.cache.entry import BLOCK, Claim, Entry
from glance_mini.cache.source import DataSource, ImageHash
from glance_mini.domain.image import Image
from glance_mini_store.errors import FetchCancelled, StoreError
from glance_mini_store.lanes import Chunk
from glance_mini_store.web.cancellation import Cancellation

LOG = logging.getLogger(__name__)


@dataclass
class Fill:
    """One fill; ``has_failed`` is valid when ``is_over`` is set."""

    is_over: threading.Event = field(default_factory=threading.Event)
    has_failed: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation)


class WrongData(Exception):
    """The data of the stores does not have the hash of the image."""


class Fills:
    """The fills of one process, at most ``limit`` at once."""

    def __init__(self, directory: CacheDirectory, limit: int) -> None:
        self._directory = directory
        self._slots = threading.BoundedSemaphore(limit)
        self._is_stopping = False
        self._is_failing = False
        self._running: dict[int, tuple[Fill, Claim]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the fills, and start no more."""
        self._is_stopping = True
        self.end_unwanted()

    def end_unwanted(self) -> None:
        """End the fills that wait for a web server though nobody reads the entry any more."""
        with self._lock:
            unwanted = [fill for fill, claim in self._running.values() if self._is_stopping or not claim.has_readers()]
        for fill in unwanted:
            fill.cancellation.cancel()

    def start(self, image: Image, entry: Entry, claim: Claim, source: DataSource, patience: float = 0.0) -> Fill | None:
        """Begin to fill the blocks of ``claim``, which is closed at the end; None if there is no room or no thread.

        ``patience``: the seconds to wait for a thread.
        """
        with ExitStack() as undo:
            undo.callback(claim.close)
            if self._is_stopping or not self._slots.acquire(timeout=patience):
                return None
            undo.callback(self._slots.release)
            count = min(claim.end * BLOCK, entry.size) - claim.first * BLOCK
            try:
                if not self._directory.reserve(entry.name, count):
                    return None
                own = entry.reopen()
            except OSError as error:
                self.note_failure(error)
                return None
            undo.callback(own.close)
            fill = Fill()
            arguments = (fill, image, own, claim, source, undo.pop_all())
        threading.Thread(target=self._run, args=arguments, name="cache-fill", daemon=True).start()
        return fill

    def note_failure(self, error: Exception) -> None:
        """Log that the disk of the cache fails, once until it works again."""
        if not self._is_failing:
            LOG.error("The cache cannot be used, and images are read from their stores: %s", error)
        self._is_failing = True

    def _run(self, fill: Fill, image: Image, entry: Entry, claim: Claim, source: DataSource, at_end: ExitStack) -> None:
        with at_end, fill.cancellation.applied():
            with self._lock:
                self._running[id(fill)] = (fill, claim)
            try:
                self._fill(image, entry, claim, source)
                self._is_failing = False
            except Exception as error:
                fill.has_failed = True
                self._explain(error, image, entry)
            finally:
                with self._lock:
                    del self._running[id(fill)]
        fill.is_over.set()

    def _fill(self, image: Image, entry: Entry, claim: Claim, source: DataSource) -> None:
        offset, end = claim.first * BLOCK, min(claim.end * BLOCK, entry.size)
        is_whole = (offset, end) == (0, entry.size)
        hashed = ImageHash(image) if is_whole else None
        with closing(source.open(offset, end - offset, not is_whole)) as chunks:
            for block, data in enumerate(_in_blocks(chunks), claim.first):
                is_last = block == claim.end - 1
                if hashed is not None:
                    hashed.update(data)
                    if is_last and not hashed.fits():
                        raise WrongData
                entry.write(block, data)
                claim.release(block)
                if not is_last and (self._is_stopping or not claim.has_readers()):
                    return
        if hashed is not None:
            entry.set_verified()

    def _explain(self, error: Exception, image: Image, entry: Entry) -> None:
        if isinstance(error, FetchCancelled):
            LOG.debug("Image %s is not read into the cache any more, because nobody waits for it.", image.id)
        elif isinstance(error, OSError):
            self.note_failure(error)
        elif isinstance(error, WrongData):
            entry.drop_all()
            LOG.error("The data of image %s does not have the hash of its record, and is not cached.", image.id)
        elif isinstance(error, StoreError):
            LOG.warning("Image %s could not be cached: %s", image.id, error)
        else:
            LOG.error("Image %s could not be cached.", image.id, exc_info=error)


def _in_blocks(chunks: Iterable[bytes]) -> Iterator[Chunk]:
    """Yield the bytes of ``chunks`` in blocks; the last one may be shorter."""
    held = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            if not held and len(view) >= BLOCK:
                block, view = view[:BLOCK], view[BLOCK:]
                yield block
                continue
            missing = BLOCK - len(held)
            held += view[:missing]
            view = view[missing:]
            if len(held) == BLOCK:
                yield held
                held = bytearray()
    if held:
        yield held
