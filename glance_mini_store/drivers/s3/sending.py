"""Sends parts of an object at the same time, and holds a bounded number of them."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from glance_mini_store.drivers.s3.parts import held_parts
from glance_mini_store.drivers.s3.source import PartBuffer, new_buffer


class Sending:
    """Calls ``send`` with number and buffer of each part, in up to ``threads`` threads; ``send`` returns the ETag.

    One thread at a time uses its methods.
    """

    def __init__(self, send: Callable[[int, PartBuffer], str], threads: int) -> None:
        self._send = send
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, "store-s3")
        self._pending: dict[Future[str], PartBuffer] = {}
        self._futures: list[Future[str]] = []
        self._free: list[PartBuffer] = []

    def buffer(self, size: int) -> PartBuffer:
        """Return a buffer for the next part; waits while too many are held, and raises what sending one raised."""
        while len(self._pending) >= held_parts(size, self._threads):
            self._take()
        while self._free:
            buffer = self._free.pop()
            if buffer.size == size:
                return buffer
            buffer.close()
        return new_buffer(size)

    def send(self, buffer: PartBuffer) -> None:
        """Send the next part from its filled buffer, which is this object's from now on."""
        future = self._executor.submit(self._send, len(self._futures) + 1, buffer)
        self._futures.append(future)
        self._pending[future] = buffer

    def finish(self) -> list[str]:
        """Wait for all parts and return their ETags in order; raises what sending one raised."""
        while self._pending:
            self._take()
        return [future.result() for future in self._futures]

    def close(self) -> None:
        """Drop what is not being sent yet, wait for the rest, and release all buffers; may be repeated."""
        self._executor.shutdown(cancel_futures=True)
        for buffer in (*self._free, *self._pending.values()):
            buffer.close()
        self._pending.clear()
        self._free.clear()

    def _take(self) -> None:
        """Wait for a part that is being sent and take its buffer back."""
        for future in wait(self._pending, return_when=FIRST_COMPLETED).done:
            future.result()
            self._free.append(self._pending.pop(future))
