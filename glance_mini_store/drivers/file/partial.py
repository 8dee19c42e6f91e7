"""A partial file in a directory: written under a temporary name, then published in one step or dropped.

The temporary name is ``.<name>.<16 hex digits>.part`` in the same directory. Errors are the system's OSError.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager

from glance_mini_store.drivers.file.writeback import Writeback

_DRAFT = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.part", re.DOTALL)


class PartialFile:
    """One unpublished file: call ``write_at``, then ``publish``, and always ``drop``.

    ``is_direct``: it is written past the page cache.
    """

    def __init__(self, directory: str, name: str, kept: int | None = None, is_direct: bool = False) -> None:
        """``kept``: how many bytes at the end stay in the page cache, None: the kernel decides.

        ``is_direct``: write past the page cache, as far as the file system and the alignment of the data allow it.
        """
        self._directory = directory
        self._target = os.path.join(directory, name)
        self._path = os.path.join(directory, f".{name}.{secrets.token_hex(8)}.part")
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._writeback = Writeback(self._file, kept)
        self.is_direct = is_direct and self._set_direct(True)

    def write_at(self, data: memoryview, position: int) -> None:
        """Write all of ``data`` at ``position``, after all earlier data; a gap reads as zero bytes."""
        end = position + len(data)
        written = self._write(data, position)
        while written < len(data):
            data = data[written:]
            position += written
            written = self._write(data, position)
        self._writeback.advance(end)

    def _write(self, data: memoryview, position: int) -> int:
        try:
            return os.pwrite(self._file, data, position)
        except OSError as error:
            if error.errno != errno.EINVAL or not self.is_direct:
                raise
            # Position, length or address are not aligned, as at the end of most files: the rest goes the usual way.
            self.is_direct = self._set_direct(False)
            return os.pwrite(self._file, data, position)

    def _set_direct(self, is_direct: bool) -> bool:
        """Return whether the file is now written past the page cache; not every file system can do that."""
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        direct = getattr(os, "O_DIRECT", 0)
        try:
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | direct if is_direct else flags & ~direct)
        except OSError:
            return False
        return is_direct and bool(direct)

    def publish(self, size: int, permissions: int, naming: AbstractContextManager[None]) -> str:
        """Make the file durable, ``size`` bytes long and, within ``naming``, visible under its name; return its path.

        ``permissions`` 0: those of the process's umask. Raises FileExistsError and changes nothing if
        the name is taken.
        """
        os.ftruncate(self._file, size)
        if permissions:
            os.fchmod(self._file, permissions)
        os.fsync(self._file)
        with naming:
            os.link(self._path, self._target)
        os.unlink(self._path)
        sync_directory(self._directory)
        return self._target

    def drop(self) -> None:
        """Close the file and remove the temporary name if it still exists."""
        os.close(self._file)
        remove(self._path)


def remove_all(directory: str, name: str) -> None:
    """Remove the file ``name`` and its partial files from ``directory``."""
    found = [entry for entry in os.listdir(directory) if name_of(entry) == name]
    for entry in found:
        remove(os.path.join(directory, entry))
    if found:
        sync_directory(directory)


def name_of(entry: str) -> str | None:
    """Return the name of a file or partial file; None for other hidden files."""
    draft = _DRAFT.fullmatch(entry)
    if draft is not None:
        return draft["name"]
    return None if entry.startswith(".") else entry


def names_in(directory: str) -> set[str]:
    """Return the names of all files and partial files in ``directory``."""
    with os.scandir(directory) as entries:
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return {name for entry in files if (name := name_of(entry)) is not None}


def published_in(directory: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield name and state of each visible regular file in ``directory``."""
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    yield entry.name, entry.stat(follow_symlinks=False)


def remove(path: str) -> None:
    """Unlink ``path``; no error if it does not exist."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Keep other threads, processes and nodes out of the same lock; it is a hidden file that stays."""
    handle = os.open(os.path.join(directory, ".names.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sync_directory(directory: str) -> None:
    """Make added and removed names in ``directory`` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish_link(path: str, target: str, permissions: int, naming: AbstractContextManager[None]) -> int:
    """Make the finished file ``path`` durable and, within ``naming``, visible as ``target``; return its size in bytes.

    Raises FileExistsError and changes nothing if the name is taken.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if permissions:
            os.fchmod(handle, permissions)
        os.fsync(handle)
        with naming:
            os.link(path, target)
        sync_directory(os.path.dirname(target))
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def data_runs(chunk: memoryview, position: int, zeros: bytes) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of ``chunk`` that must be written.

    Blocks of zero bytes that have the length of ``zeros`` and are aligned to it in the file are left out. The
    check of another block usually ends at its first byte, and nothing is copied.
    """
    grain = len(zeros)
    start = 0
    for block in range(-position % grain, len(chunk) - grain + 1, grain):
        if zeros.startswith(chunk[block : block + grain]):
            if start < block:
                yield start, block
            start = block + grain
    if start < len(chunk):
        yield start, len(chunk)
