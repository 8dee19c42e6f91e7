"""Reads a large object in several ranges at once, in order and in memory that is borrowed.

It pays where one connection is slow and several are faster, for example if the server limits each connection. A range
is fetched by a thread of its own, which ends with it, so that no thread waits for a slow reader.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from oslo_config import cfg

from glance_mini_store.buffers import MIB, Buffers
from glance_mini_store.streams import close

RANGE = 8 * MIB
"""Bytes of a range."""

_USEFUL = 2
"""Ranges; with memory for fewer, one connection for all bytes is as good."""


def ranges_option(name: str) -> cfg.IntOpt:
    """Return the option of a driver for the number of ranges."""
    return cfg.IntOpt(
        name,
        default=0,
        min=0,
        max=16,
        help="How many ranges of 8 MiB of a large read are fetched at once, each by a connection of its own, as far as "
        "the memory of transfers allows. Reads become faster if the service limits each connection, and slower if it "
        "is near. 0 or 1: one connection reads all.",
    )


Fetch = Callable[[int, int], Iterator[bytes]]
"""Returns the bytes from an offset to before another one."""


class FirstRange(Iterator[bytes], Protocol):
    """The answer to the first request for an object."""

    @property
    def end(self) -> int:
        """Return the offset behind the last byte of the answer."""

    @property
    def object_size(self) -> int | None:
        """Return the size in bytes of the object; None if a later request might find another object, or as unknown."""

    def fetch(self, start: int, end: int) -> Iterator[bytes]:
        """Return other bytes of the same object; another thread calls it. Raises StoreError if it is there no more."""

    def close(self) -> None:
        """End the request; may be repeated."""


def open_ranges(
    request: Callable[[int, int | None], FirstRange], offset: int, length: int | None, memory: "RangeMemory"
) -> Iterator[bytes]:
    """Return ``length`` bytes (None: to the end) from ``offset``, in several ranges if they are many.

    ``request`` gets the first range, whose end may be None for that of the object; what it raises passes unchanged.
    Without room in ``memory``, one request gets all bytes.
    """
    end = None if length is None else offset + length
    if not memory or (length is not None and length <= RANGE):
        memory.end()
        return request(offset, end)
    try:
        first = request(offset, offset + RANGE)
    except BaseException:
        memory.end()
        raise
    if first.object_size is None:
        memory.end()
        first.close()
        return request(offset, end)
    end = first.object_size if end is None else min(end, first.object_size)
    if first.end >= end:
        memory.end()
        return first
    return ParallelRanges(first, first.fetch, first.end, end, memory)


class RangeMemory:
    """Room for ranges, borrowed from ``budget``: for up to ``most``, or none if it lends too little to be of use."""

    def __init__(self, budget: Buffers, most: int) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._is_ended = False
        self._unused = 0
        while self._unused < most and budget.borrow(RANGE):
            self._unused += 1
        if self._unused < _USEFUL:
            self.end()

    def take(self) -> bool:
        """Take room for one range, and return whether there was any."""
        with self._lock:
            if not self._unused:
                return False
            self._unused -= 1
            return True

    def put_back(self) -> None:
        """End the use of room for one range."""
        with self._lock:
            if self._is_ended:
                self._budget.give_back(RANGE)
            else:
                self._unused += 1

    def end(self) -> None:
        """Give back what is unused, and later each range that is put back; may be repeated."""
        with self._lock:
            self._is_ended = True
            self._budget.give_back(self._unused * RANGE)
            self._unused = 0

    def __bool__(self) -> bool:
        return self._unused > 0


class ParallelRanges(Iterator[bytes]):
    """The bytes of ``first``, then those from ``start`` to before ``end``, which ``fetch`` gets in the meantime.

    There must be room in ``memory``, which nobody else uses. What a fetch raises comes after the bytes before it, and
    nothing comes after that.
    """

    def __init__(self, first: Iterator[bytes], fetch: Fetch, start: int, end: int, memory: RangeMemory) -> None:
        self._current = first
        self._fetch = fetch
        self._next = start
        self._end = end
        self._memory = memory
        self._ahead: deque[_FetchedRange] = deque()
        self._ask()

    def __next__(self) -> bytes:
        try:
            while (block := next(self._current, None)) is None:
                close(self._current)
                self._ask()
                if not self._ahead:
                    raise StopIteration
                self._current = self._ahead.popleft()
        except BaseException:
            self.close()
            raise
        return block

    def close(self) -> None:
        """End all requests, those that a thread reads at their next block; may be repeated."""
        self._next = self._end
        close(self._current)
        while self._ahead:
            self._ahead.popleft().close()
        self._memory.end()

    def __del__(self) -> None:
        self.close()

    def _ask(self) -> None:
        """Begin to fetch as many ranges as there is room for."""
        while self._next < self._end and self._memory.take():
            end = min(self._next + RANGE, self._end)
            self._ahead.append(_FetchedRange(self._fetch, self._next, end, self._memory))
            self._next = end


class _FetchedRange(Iterator[bytes]):
    """The blocks of one range, which a thread reads into room in ``memory`` that was taken before."""

    def __init__(self, fetch: Fetch, start: int, end: int, memory: RangeMemory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._users = 2
        self._is_closed = False
        # It never holds more than the range.
        self._blocks: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, args=(fetch, start, end), name="store-range", daemon=True).start()

    def __next__(self) -> bytes:
        item = None if self._is_closed else self._blocks.get()
        if isinstance(item, bytes):
            return item
        self.close()
        if item is not None:
            raise item
        raise StopIteration

    def close(self) -> None:
        """Let the thread end at its next block; may be repeated."""
        if not self._is_closed:
            self._is_closed = True
            self._leave()

    def _run(self, fetch: Fetch, start: int, end: int) -> None:
        try:
            blocks = fetch(start, end)
            try:
                for block in blocks:
                    if self._is_closed:
                        break
                    self._blocks.put(block)
            finally:
                close(blocks)
            self._blocks.put(None)
        except BaseException as error:
            self._blocks.put(error)
        self._leave()

    def _leave(self) -> None:
        """Give the room back when neither the thread nor the reader needs it."""
        with self._lock:
            self._users -= 1
            is_last = not self._users
        if is_last:
            self._memory.put_back()
