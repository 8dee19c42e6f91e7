"""Locks on ranges of a file that exclude each other between all threads and processes of a node.

They belong to the open file (``fcntl(2)``, open file description locks), so each holder opens the file itself, and the
kernel releases what a killed process held.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FLOCK = struct.Struct("hhqqi4x")
"""``struct flock``: type, whence, start, length, process (0)."""

_TAKEN = (errno.EACCES, errno.EAGAIN)


def try_lock(descriptor: int, start: int, length: int = 1, *, shared: bool = False) -> bool:
    """Lock ``length`` bytes from ``start`` and return True, or False if another holder is in the way."""
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, start, length, 0))
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock(descriptor: int, start: int, length: int = 1) -> None:
    """Release ``length`` bytes from ``start``."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, start, length, 0))


def find_lock(descriptor: int, start: int, length: int = 1) -> int | None:
    """Return the first byte of a lock of another holder in the range, None if there is none."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    kind, _, found, _, _ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else max(int(found), start)


@contextmanager
def node_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of the file ``path`` during the block; yields whether it is held, which is certain if it waits."""
    with hold(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), wait=wait) as is_held:
        yield is_held


@contextmanager
def hold(descriptor: int, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of an open file or directory during the block, and close it then; yields as ``node_lock``."""
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
