"""The memory that the transfers of one process may hold at once.

A transfer takes its share before it reads a byte, and gives it back at its end. It takes all that it needs at once and
never waits for memory while it holds some, so that every transfer that has its share can end. What makes it faster
beyond that it borrows: at once or not at all.
"""

import ctypes
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from glance_mini_store.errors import BuffersExhausted

MIB = 1024 * 1024

TRANSFER = 4 * MIB
"""The share in bytes of an upload, and of a download that is not sent from a file."""

BLOCK = TRANSFER
"""The size in bytes of a block of memory that an upload is read into."""

_PIPELINE = 4
"""Blocks of an upload whose data is read, hashed and written at the same time."""

COPY = 16 * MIB
"""The share in bytes of data that is fetched, hashed, inspected and written to any number of stores."""

_LOOK_SECONDS = 1.0

_THRESHOLDS = (-1, -3)
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt(3)."""


def give_freed_blocks_back() -> None:
    """Let the C library give large blocks back to the system when they are freed; may be repeated.

    By default glibc raises its threshold for that with each block, and keeps tens of MiB in the arenas of threads.
    """
    with suppress(AttributeError, OSError):
        for threshold in _THRESHOLDS:
            ctypes.CDLL(None).mallopt(threshold, MIB)


class Buffers:
    """A budget of ``limit`` bytes; ``seconds`` is how long a transfer waits for its share."""

    def __init__(self, limit: int = 256 * MIB, seconds: float = 10.0) -> None:
        self.limit = limit
        self._seconds = seconds
        self._free = limit
        self._changed = threading.Condition()
        self._uploads = 0
        self._unused: list[memoryview] = []

    @contextmanager
    def share(self, size: int, check: Callable[[], object] | None = None) -> Iterator[None]:
        """Hold ``size`` bytes of the budget, or all of it if it is smaller; waits while others hold them.

        Raises BuffersExhausted after the time of the budget. With ``check``, which is called every second and may
        raise, it waits without that limit.
        """
        size = min(size, self.limit)
        with self._changed:
            end = time.monotonic() + self._seconds
            while self._free < size:
                left = end - time.monotonic()
                if check is not None:
                    check()
                elif left <= 0:
                    raise BuffersExhausted(limit=self.limit)
                self._changed.wait(_LOOK_SECONDS if check is not None else left)
            self._free -= size
            self._trim()
        try:
            yield
        finally:
            self.give_back(size)

    @contextmanager
    def blocks(self, size: int | None) -> Iterator[list[memoryview]]:
        """Hold the memory of an upload of ``size`` bytes (None: unknown): one block of BLOCK bytes, or several.

        It gets several if it is long, fewer uploads run than there are processors, and half of the budget is free.
        Blocks begin at a page and are used again, so that their pages are there already. Waits and raises as ``share``.
        """
        with self._changed:
            is_long = size is None or size > _PIPELINE * BLOCK
            is_quiet = self._uploads < (os.cpu_count() or 1) and 2 * self._free >= self.limit
            count = _PIPELINE if is_long and is_quiet else 1
            self._uploads += 1
        blocks: list[memoryview] = []
        try:
            with self.share(count * BLOCK):
                with self._changed:
                    blocks += self._unused[:count]
                    del self._unused[:count]
                blocks += [_new_block() for _ in range(count - len(blocks))]
                try:
                    yield blocks
                finally:
                    with self._changed:
                        self._unused += blocks
        finally:
            with self._changed:
                self._uploads -= 1

    def borrow(self, size: int) -> bool:
        """Take ``size`` bytes that nobody waits for, and return whether that was possible; ``give_back`` ends it.

        At least half of the budget stays free for shares. Never waits.
        """
        with self._changed:
            if 2 * (self._free - size) < self.limit:
                return False
            self._free -= size
            self._trim()
            return True

    def give_back(self, size: int) -> None:
        """End the use of ``size`` bytes that were borrowed."""
        with self._changed:
            self._free += size
            self._trim()
            self._changed.notify_all()

    def _trim(self) -> None:
        """Drop unused blocks that the budget has no room for, and all of them when nothing runs."""
        del self._unused[0 if self._free == self.limit else self._free // BLOCK :]

    def split(self, size: int) -> "Buffers":
        """Return a budget of ``size`` bytes of this one, for work that must not wait for the rest; call it at start."""
        with self._changed:
            self.limit -= size
            self._free -= size
        return Buffers(size, self._seconds)


def _new_block() -> memoryview:
    return memoryview(mmap.mmap(-1, BLOCK, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
