"""Starts to write a file to disk while it is still growing, and keeps only the end of a copy in the page cache.

Otherwise gigabytes gather in the page cache: the final fsync takes long, and data that is read often is evicted. The
calls are hints to the kernel without a guarantee. Source: posix_fadvise(2); on Linux, POSIX_FADV_DONTNEED starts to
write dirty pages and drops clean ones.
"""

import os
from contextlib import suppress

WINDOW = 16 * 1024 * 1024
"""How many bytes gather before the kernel gets a hint."""

COPY_KEPT = 64 * 1024 * 1024
"""How many bytes at the end of a copy stay in the page cache: they may not be on disk yet."""


class Writeback:
    """The hints for the open file ``handle``, which is written from its start to its end.

    ``kept`` is how many bytes at the end stay in the page cache, None: the kernel decides.
    """

    def __init__(self, handle: int, kept: int | None = None) -> None:
        self._handle = handle
        self._kept = kept
        self._begun = 0
        self._dropped = 0

    def advance(self, position: int) -> None:
        """Record that all data before ``position`` was written, and give the hints."""
        if position - self._begun < WINDOW:
            return
        self._advise(self._begun, position)
        self._begun = position
        if self._kept is not None and position - self._kept > self._dropped:
            self._advise(self._dropped, position - self._kept)
            self._dropped = position - self._kept

    def _advise(self, start: int, end: int) -> None:
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(self._handle, start, end - start, os.POSIX_FADV_DONTNEED)
