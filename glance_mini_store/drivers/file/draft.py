"""A file that grows over several calls, of any process: the bytes of an upload that may break off and go on.

A lock of the kernel excludes a second writer, on this machine and on others that share the directory, and ends with the
process that holds it. Errors are the system's OSError, except NotFound and DraftInUse.
"""

import fcntl
import os

from glance_mini_store import errors
from glance_mini_store.drivers.file.partial import sync_directory
from glance_mini_store.drivers.file.writeback import Writeback
from glance_mini_store.lanes import Chunk

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class FileDraft:
    """The file ``path``, locked and open for writing at ``offset``; what it had after that is gone.

    It is made if ``offset`` is 0. Raises NotFound if it has fewer bytes, DraftInUse if another holds it.
    """

    def __init__(self, path: str, offset: int) -> None:
        self.location = f"file://{path}"
        self._directory = os.path.dirname(path)
        self._position = offset
        # A new name is durable only after the directory is.
        self._is_named = offset > 0
        try:
            self._file = os.open(path, _FLAGS | (0 if offset else os.O_CREAT), 0o666)
        except FileNotFoundError as error:
            raise errors.NotFound(location=self.location) from error
        try:
            self._lock()
            if os.fstat(self._file).st_size < offset or not self._is_at(path):
                raise errors.NotFound(location=self.location)
            os.ftruncate(self._file, offset)
        except BaseException:
            os.close(self._file)
            raise
        self._writeback = Writeback(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.DraftInUse(location=self.location) from error

    def _is_at(self, path: str) -> bool:
        """Return whether the file still has its name: whoever held the lock before may have removed it."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._file))

    def write(self, chunk: Chunk) -> None:
        """Add all of ``chunk``."""
        left = memoryview(chunk)
        while left:
            count = os.pwrite(self._file, left, self._position)
            self._position += count
            left = left[count:]
        self._writeback.advance(self._position)

    def sync(self) -> None:
        """Make durable what was written."""
        os.fdatasync(self._file)
        if not self._is_named:
            sync_directory(self._directory)
            self._is_named = True

    def close(self) -> None:
        """Give the lock back; what was not made durable may be lost."""
        os.close(self._file)
