"""Sends parts of an object at the same time, as many as the memory allows, which is borrowed."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.s3.parts import held_parts, is_in_memory
from glance_mini_store.drivers.s3.source import PartBuffer, memory_buffer, new_buffer


class Sending:
    """Calls ``send`` with number and buffer of each part, in up to ``threads`` threads; ``send`` returns the ETag.

    Parts in memory are borrowed from ``budget``. One thread at a time uses the methods.
    """

    def __init__(self, send: Callable[[int, PartBuffer], str], threads: int, budget: Buffers) -> None:
        self._send = send
        self._threads = threads
        self._budget = budget
        self._executor = ThreadPoolExecutor(threads, "store-s3")
        self._pending: dict[Future[str], PartBuffer] = {}
        self._futures: list[Future[str]] = []
        self._free: list[PartBuffer] = []

    def buffer(self, size: int) -> PartBuffer:
        """Return a buffer for the next part, and raise what sending one raised.

        Waits for a part while as many are held as may be, or the budget lends nothing. An upload that is not lent any
        memory goes on with one part in a file.
        """
        while True:
            self._take_sent(timeout=0)
            while self._free:
                buffer = self._free.pop()
                if buffer.size == size:
                    return buffer
                buffer.close()
            if not self._pending:
                return new_buffer(size, self._budget)
            further = self._further(size) if len(self._pending) < held_parts(size, self._threads) else None
            if further is not None:
                return further
            self._take_sent(timeout=None)

    def _further(self, size: int) -> PartBuffer | None:
        """Return a buffer for a part beside those that are sent; None if it would need memory and there is none."""
        return memory_buffer(size, self._budget) if is_in_memory(size) else new_buffer(size, self._budget)

    def send(self, buffer: PartBuffer) -> None:
        """Send the next part from its filled buffer, which is this object's from now on."""
        future = self._executor.submit(self._send, len(self._futures) + 1, buffer)
        self._futures.append(future)
        self._pending[future] = buffer

    def finish(self) -> list[str]:
        """Wait for all parts and return their ETags in order; raises what sending one raised."""
        while self._pending:
            self._take_sent(timeout=None)
        return [future.result() for future in self._futures]

    def close(self) -> None:
        """Drop what is not being sent yet, wait for the rest, and release all buffers; may be repeated."""
        self._executor.shutdown(cancel_futures=True)
        for buffer in (*self._free, *self._pending.values()):
            buffer.close()
        self._pending.clear()
        self._free.clear()

    def _take_sent(self, timeout: float | None) -> None:
        """Take the buffers of parts that have been sent; waits for one, up to ``timeout`` seconds (None: no limit)."""
        for future in wait(self._pending, timeout, FIRST_COMPLETED).done:
            future.result()
            self._free.append(self._pending.pop(future))
