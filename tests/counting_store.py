"""A driver in memory that counts what is read from it, and that may fail, be slow, or give other data."""

import threading
import time
from collections.abc import Iterator

from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.errors import RemoteServiceUnavailable

PIECE = 256 * 1024


class CountingDriver(MemoryDriver):
    """Counts calls of ``read`` and bytes; ``pause`` are the seconds before each piece, ``fails_at`` a byte.

    ``gate``: from a byte on, nothing is given until the event is set. ``flips``: a byte that is given wrongly.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int | None]] = []
        self.sent = 0
        self.pause = 0.0
        self.fails_at: int | None = None
        self.flips: int | None = None
        self.gate: tuple[int, threading.Event] | None = None
        self._lock = threading.Lock()

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the data in small pieces."""
        with self._lock:
            self.reads.append((offset, length))
        return self._pieces(b"".join(super().read(location, offset, length)), offset)

    def _pieces(self, data: bytes, offset: int) -> Iterator[bytes]:
        for start in range(0, len(data), PIECE):
            time.sleep(self.pause)
            if self.gate is not None and offset + start >= self.gate[0] and not self.gate[1].wait(60):
                raise RemoteServiceUnavailable(reason="nobody opened the gate")
            if self.fails_at is not None and offset + start >= self.fails_at:
                raise RemoteServiceUnavailable(reason="the disk is on fire")
            piece = bytearray(data[start : start + PIECE])
            if self.flips is not None and 0 <= self.flips - offset - start < len(piece):
                piece[self.flips - offset - start] ^= 1
            with self._lock:
                self.sent += len(piece)
            yield bytes(piece)
