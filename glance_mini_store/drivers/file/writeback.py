"""Brings a file to disk while it is still being written, and keeps only the end of a copy in memory.

Else gigabytes gather in the page cache: the file is made durable all at once when its writer has nothing else to do any
more, and what is read often has been pushed out for it. These are hints to the kernel; nothing is promised by them.
Source: posix_fadvise(2), of which Linux lets POSIX_FADV_DONTNEED begin to write what is not on disk, and drop what is.
"""

import os
from contextlib import suppress

WINDOW = 16 * 1024 * 1024
"""Bytes that gather before the kernel is told of them."""

COPY_KEPT = 64 * 1024 * 1024
"""Bytes at the end of a copy that stay in memory: what is on its way to the disk still."""


class Writeback:
    """What the kernel was told of the open file ``handle``, which is written from its beginning to its end.

    ``kept`` is how many bytes at the end stay in memory, None: all, as far as the kernel likes.
    """

    def __init__(self, handle: int, kept: int | None = None) -> None:
        self._handle = handle
        self._kept = kept
        self._begun = 0
        self._dropped = 0

    def advance(self, position: int) -> None:
        """Take note that everything before ``position`` has been written."""
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
