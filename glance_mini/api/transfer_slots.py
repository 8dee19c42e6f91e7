"""How many uploads and downloads run at once, so that small requests always find a thread; and what they moved."""

import threading
from collections.abc import Iterable, Iterator
from types import TracebackType

from glance_mini.api.errors import TooBusy
from glance_mini.metrics import Metrics

UPLOAD = "upload"
DOWNLOAD = "download"


class TransferSlots:
    """The slots of one process."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._free = threading.BoundedSemaphore(limit)

    def take(self, direction: str) -> "Slot":
        """Return a slot, which its holder releases; TooBusy at once where none is free."""
        if not self._free.acquire(blocking=False):
            raise TooBusy(limit=self._limit)
        return Slot(self._free, self._metrics, direction)


class Slot:
    """One transfer in progress; a context manager, or ``release`` it."""

    def __init__(self, free: threading.BoundedSemaphore, metrics: Metrics, direction: str) -> None:
        self._free: threading.BoundedSemaphore | None = free
        self._running = metrics.transfers.labels(direction)
        self._bytes = metrics.bytes_received if direction == UPLOAD else metrics.bytes_sent
        self._running.inc()

    def __enter__(self) -> "Slot":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the slot back; further calls do nothing."""
        free, self._free = self._free, None
        if free is not None:
            self._running.dec()
            free.release()

    def count(self, moved: int) -> None:
        """Add ``moved`` bytes to what was received or sent."""
        self._bytes.inc(moved)

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks``, counted."""
        for chunk in chunks:
            self.count(len(chunk))
            yield chunk
