"""Readers of cached data: blocks as they arrive in the cache, and verified data as a file that the kernel may send."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import BinaryIO

from glance_mini.cache.entry import BLOCK, Claim, DamagedBlock, Entry
from glance_mini.cache.fills import Fill, Fills
from glance_mini.cache.source import Chunks, DataSource, ImageHash
from glance_mini.domain.image import Image
from glance_mini_store.errors import RemoteServiceUnavailable
from glance_mini_store.streams import FileRange
from glance_mini_store.web.cancellation import Cancellation, current

LOG = logging.getLogger(__name__)

_PAUSES = (0.001, 0.02)
"""The shortest and the longest time in seconds between two looks for a block that another process may fill."""

STALLED = 30.0
"""Seconds without the next block after which a reader turns to the stores itself."""


class CachedFile(FileRange):
    """Verified data of an entry; ``held``, the entry and the memory of the read, is given back by ``close``."""

    def __init__(self, entry: Entry, offset: int, length: int) -> None:
        file = os.fdopen(entry.reopen_data(), "rb", buffering=0)
        super().__init__(file, offset, length)
        self.held = ExitStack()

    def close(self) -> None:
        """Close the file and what is held; may be repeated."""
        super().close()
        self.held.close()


class CachedChunks(Iterator[bytes]):
    """``length`` bytes from ``offset`` of an entry, whose missing blocks a fill reads from ``source``.

    When the cache fails, the rest comes from ``source``. A whole read of complete data also verifies it. ``held``, the
    entry and the memory of the read, is given back by ``close``.
    """

    file: BinaryIO | None = None

    def __init__(
        self,
        image: Image,
        entry: Entry,
        source: DataSource,
        fills: Fills,
        offset: int,
        length: int,
        count: Callable[[int], object],
    ) -> None:
        """``count`` is called with the bytes that came from the cache."""
        self.held = ExitStack()
        self.offset = offset
        self.length = length
        self._image = image
        self._entry = entry
        self._source = source
        self._fills = fills
        self._count = count
        self._position = offset
        self._end = offset + length
        self._ahead: bytes | None = None
        self._fill: Fill | None = None
        self._direct: Chunks | None = None
        self._hash: ImageHash | None = None
        self._verification: Claim | None = None
        self._damaged: int | None = None
        self._patience = 0.0

    def open(self, is_complete: bool) -> None:
        """Read the first block ahead, so that a store that fails is noticed before the response begins.

        ``is_complete``: all blocks of the read are there. Raises what ``DataSource.open`` raises.
        """
        try:
            if is_complete and self.length == self._entry.size:
                self._verification = self._entry.claim_verification()
                self._hash = ImageHash(self._image) if self._verification else None
            self._ahead = self._next_piece()
        except BaseException:
            self.close()
            raise

    def fetch(self) -> bool:
        """Wait until all blocks of the read are there and return True; False if the cache does not get them."""
        self._patience = STALLED
        blocks = range(self._position // BLOCK, self._last_block())
        is_there = all(self._wait_for(block) is not None for block in blocks)
        if self._fill is not None:
            # After the last block it verifies the data.
            self._fill.is_over.wait(STALLED)
        return is_there

    def __next__(self) -> bytes:
        piece, self._ahead = self._ahead, None
        if piece is None:
            piece = self._next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close what is read and what is held; may be repeated."""
        if self._direct is not None:
            self._direct.close()
        if self._verification is not None:
            self._verification.close()
        self.held.close()

    def _next_piece(self) -> bytes | None:
        if self._position == self._end:
            return None
        if self._direct is None:
            number = self._position // BLOCK
            block = self._wait_for(number)
            if block is not None:
                self._verify(number, block)
                start = self._position - number * BLOCK
                piece = block[start : start + self._end - self._position] if start or len(block) > self._left else block
                self._count(len(piece))
                self._position += len(piece)
                return piece
            self._hash = None
            is_part = self._left < self._entry.size
            self._direct = self._source.open(self._position, self._left, is_part)
        further = next(self._direct, None)
        self._position += len(further or b"")
        return further

    @property
    def _left(self) -> int:
        return self._end - self._position

    def _wait_for(self, block: int) -> bytes | None:
        """Return a block, which may have to be filled first; None if the cache does not get it.

        Raises FetchCancelled if the client has gone meanwhile.
        """
        try:
            data = self._read(block)
            if data is not None or not self._is_being_filled(block):
                return data
            with current().waiting() as cancellation:
                return self._wait(block, cancellation)
        except (OSError, DamagedBlock) as error:
            self._fills.note_failure(error)
            return None

    def _wait(self, block: int, cancellation: Cancellation) -> bytes | None:
        pause, deadline = _PAUSES[0], time.monotonic() + STALLED
        while time.monotonic() < deadline:
            cancellation.check()
            data = self._read(block)
            if data is not None or not self._is_being_filled(block):
                return data
            time.sleep(pause)
            pause = min(2 * pause, _PAUSES[1])
        return None

    def _read(self, block: int) -> bytes | None:
        """Return a block, None if it is not there. Raises DamagedBlock if it was damaged again after it was filled."""
        try:
            return self._entry.read(block)
        except DamagedBlock:
            LOG.error("Block %d of image %s was damaged in the cache; it is read again.", block, self._image.id)
            if block == self._damaged:
                raise
            self._damaged = block
            return None

    def _is_being_filled(self, block: int) -> bool:
        """Return whether ``block`` can be expected, after starting a fill if there is none."""
        if self._fill is not None and self._fill.is_over.is_set():
            if self._fill.has_failed:
                return self._entry.missing(block, block + 1) is None
            self._fill = None
        if self._fill is None and (claim := self._entry.claim(block, self._last_block())) is not None:
            if self._entry.missing(block, block + 1) is None:
                claim.close()
                return True
            self._fill = self._fills.start(self._image, self._entry, claim, self._source, self._patience)
            return self._fill is not None
        return True

    def _last_block(self) -> int:
        return -(-self._end // BLOCK)

    def _verify(self, number: int, block: bytes) -> None:
        """Hash a block of a whole read; before the last one, note that the data is right, or forget it and raise."""
        if self._hash is None:
            return
        self._hash.update(block)
        if number < self._entry.blocks - 1:
            return
        if not self._hash.fits():
            self._entry.drop_all()
            LOG.error("The cached data of image %s did not have its hash, and was dropped.", self._image.id)
            raise RemoteServiceUnavailable(reason="the cached data does not have the hash of the image")
        with suppress(OSError):
            self._entry.set_verified()
