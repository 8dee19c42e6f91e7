"""Tells which parts of a local file were never written, so that nobody reads zeros from the disk's cache."""

import errno
import os


class Holes:
    """The holes of an open file; ``close`` it. A file system that knows of none has none.

    It opens the file once more, because to look for holes moves the position of a descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        self._start = self._stop = 0
        self._is_hole = False
        try:
            self._descriptor = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = -1

    def cover(self, offset: int, length: int) -> bool:
        """Return whether nothing was written to ``length`` bytes from ``offset``; bytes after the end are no hole."""
        if self._descriptor < 0:
            return False
        if not self._start <= offset < self._stop:
            self._look(offset)
        return self._is_hole and offset + length <= self._stop

    def close(self) -> None:
        """Close the descriptor; may be repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _look(self, offset: int) -> None:
        self._start = offset
        try:
            data = os.lseek(self._descriptor, offset, os.SEEK_DATA)
            self._is_hole = data > offset
            self._stop = data if self._is_hole else os.lseek(self._descriptor, offset, os.SEEK_HOLE)
        except OSError as error:
            # No data follows, or nothing at all.
            self._stop = os.fstat(self._descriptor).st_size
            self._is_hole = error.errno == errno.ENXIO and offset < self._stop
