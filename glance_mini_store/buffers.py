"""The memory that the transfers of one process may hold at once.

A transfer takes its share before it reads a byte, and gives it back at its end. It takes all that it needs at once and
never waits for memory while it holds some, so that every transfer that has its share can end.
"""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from glance_mini_store.errors import BuffersExhausted

MIB = 1024 * 1024

TRANSFER = 4 * MIB
"""The share in bytes of an upload, and of a download that is not sent from a file."""

COPY = 16 * MIB
"""The share in bytes of data that is fetched, hashed, inspected and written to any number of stores."""

_LOOK_SECONDS = 1.0

_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of mallopt(3)."""


def give_freed_blocks_back() -> None:
    """Let the C library give large blocks back to the system when they are freed; may be repeated.

    By default glibc raises its threshold for that with each block, and keeps tens of MiB in the arenas of threads.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 256 * 1024)


class Buffers:
    """A budget of ``limit`` bytes; ``seconds`` is how long a transfer waits for its share."""

    def __init__(self, limit: int = 256 * MIB, seconds: float = 10.0) -> None:
        self.limit = limit
        self._seconds = seconds
        self._free = limit
        self._changed = threading.Condition()

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
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()

    def split(self, size: int) -> "Buffers":
        """Return a budget of ``size`` bytes of this one, for work that must not wait for the rest; call it at start."""
        with self._changed:
            self.limit -= size
            self._free -= size
        return Buffers(size, self._seconds)
