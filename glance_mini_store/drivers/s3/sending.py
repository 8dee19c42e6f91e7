"""Sends parts of an object at the same time, and holds a bounded number of them."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from glance_mini_store.drivers.s3.parts import held_parts
from glance_mini_store.drivers.s3.source import PartBuffer, new_buffer


class _Sent(NamedTuple):
    etag: "Future[str]"
    buffer: PartBuffer


class Sending:
    """Calls ``send`` with number and buffer of each part, in up to ``threads`` threads; ``send`` returns the ETag.

    One thread at a time uses its methods.
    """

    def __init__(self, send: Callable[[int, PartBuffer], str], threads: int) -> None:
        self._send = send
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, "store-s3")
        self._pending: deque[_Sent] = deque()
        self._etags: list[str] = []
        self._free: list[PartBuffer] = []
        self._number = 0

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
        self._number += 1
        self._pending.append(_Sent(self._executor.submit(self._send, self._number, buffer), buffer))

    def finish(self) -> list[str]:
        """Wait for all parts and return their ETags in order; raises what sending one raised."""
        while self._pending:
            self._take()
        return self._etags

    def close(self) -> None:
        """Drop what is not being sent yet, wait for the rest, and release all buffers; may be repeated."""
        self._executor.shutdown(cancel_futures=True)
        for buffer in (*self._free, *(sent.buffer for sent in self._pending)):
            buffer.close()
        self._pending.clear()
        self._free.clear()

    def _take(self) -> None:
        sent = self._pending[0]
        self._etags.append(sent.etag.result())
        self._pending.popleft()
        self._free.append(sent.buffer)
