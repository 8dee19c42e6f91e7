"""Where the bytes of one file of a chain come from."""

import errno
import os
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from glance_mini.content.qcow2.errors import Damaged

LONGEST_READ = 4 * 1024 * 1024
"""The most bytes that one ``read`` is asked for."""

USUAL_READ = 2 * 1024 * 1024
"""Bytes that are best read at once, unless a source says otherwise."""


class Source(Protocol):
    """A file that is read by ranges; used by several threads at once.

    A source may also have ``extents(offset, length)``, which yields the ranges (offset, length) in order that hold
    data; all else reads as zeros. It only saves reads and never changes what is produced. It may have
    ``stream(offset, length)``, which returns an iterator of chunks that is closed at the end: runs of 8 MiB or more are
    read so. It may have ``local()``, which returns the file, opened, for the caller to close, or None if it is not a
    local file, and ``usual_read``, the bytes that are best read at once. A chunk must stay valid only until the next is
    asked for.
    """

    @property
    def size(self) -> int:
        """The bytes of the file, which do not change."""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes (1 to LONGEST_READ) from ``offset``; the range lies within the file.

        Blocks. May raise what the store raises. Fewer bytes mean that the file has been cut off: Damaged.
        """


class FileSource:
    """A local file or block device that is open for reading; its position moves."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self._file = file
        self.size = os.lseek(self._descriptor, 0, os.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; raises Damaged if the file has become shorter."""
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                raise Damaged(reason=f"the file ends at {offset + len(data)} bytes, before {offset + length}")
            data += more
        return data

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of data, as the file system knows them; all of it if it does not know."""
        end = offset + length
        while offset < end:
            try:
                start = os.lseek(self._descriptor, offset, os.SEEK_DATA)
                stop = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    yield offset, end - offset
                return
            if start >= end:
                return
            yield start, min(stop, end) - start
            offset = stop
