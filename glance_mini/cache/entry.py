"""One image in the cache: a directory with the file ``data``, which has holes, and ``index``, which marks the blocks.

The format is described in "Files of the cache" of the operator's manual. A mark is written after its block and holds
the checksum of the block, so that a block is complete or not there, whatever was killed. Errors are OSError.
"""

import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from glance_mini.cache import locks
from glance_mini_store.lanes import Chunk

BLOCK = 1024 * 1024
"""The size of a block in bytes; the last block of an image may be shorter."""

DATA, INDEX = "data", "index"

_HEADER = struct.Struct("<8sQqqQq")
"""Magic with version, and the fields of ``Header``."""
_MAGIC = b"GMCACHE\x01"
_MARKS_AT = 4096
_MARK = struct.Struct("<II")
_IS_SET = 0x0B10C0DE
_NO_MARK = bytes(_MARK.size)
_NO_TIME = 0

_IN_USE = 1 << 62
_VERIFYING = _IN_USE + 1
_EVERYTHING = _IN_USE + 2
"""Positions of locks on the index: below ``_IN_USE``, the number of a block that is being filled."""


class Entry:
    """An open entry. While it is open, it is not evicted; each reader opens its own."""

    def __init__(self, name: str, size: int, directory: int, index: int, data: int) -> None:
        """Take the open descriptors of the directory and of the files."""
        self.name = name
        self.size = size
        self.blocks = -(-size // BLOCK)
        self._directory = directory
        self._index = index
        self._data = data

    @classmethod
    def open(cls, path: Path, size: int) -> Self | None:
        """Return the entry at ``path``; None if it is not there, is for another size, or is being removed."""
        opened: list[int] = []
        try:
            opened.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            opened += [os.open(name, os.O_RDWR | os.O_CLOEXEC, dir_fd=opened[0]) for name in (INDEX, DATA)]
            directory, index, _ = opened
            header = read_header(index)
            is_usable = header is not None and header.size == size and locks.try_lock(index, _IN_USE, shared=True)
            # It may have been moved away before it was locked.
            if not is_usable or not _is_same(path, directory):
                return None
            entry, opened = cls(path.name, size, *opened), []
            return entry
        except (FileNotFoundError, NotADirectoryError):
            return None
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def touch(self) -> None:
        """Note that the entry is used now."""
        set_used(self._index, time.time_ns())

    def missing(self, first: int, end: int) -> int | None:
        """Return the first block from ``first`` to before ``end`` that is not there, None if all are."""
        return self._find(first, end, lambda states: next((n for n, state in enumerate(states) if not state), None))

    def present(self, first: int, end: int) -> int | None:
        """Return the first block from ``first`` to before ``end`` that is there, None if none is."""
        return self._find(first, end, lambda states: states.index(True) if True in states else None)

    def _find(self, first: int, end: int, find: Callable[[list[bool]], int | None]) -> int | None:
        for start in range(first, end, _MARKS_PER_READ):
            number = find(_read_states(self._index, start, min(end, start + _MARKS_PER_READ)))
            if number is not None:
                return start + number
        return None

    def count(self) -> int:
        """Return the number of blocks that are there."""
        return count_marks(self._index, 0, self.blocks)

    def read(self, block: int) -> bytes | None:
        """Return a block; None if it is not there. Raises DamagedBlock, and drops the block."""
        mark = os.pread(self._index, _MARK.size, _MARKS_AT + block * _MARK.size)
        if len(mark) < _MARK.size or _MARK.unpack(mark)[0] != _IS_SET:
            return None
        data = os.pread(self._data, self.length(block), block * BLOCK)
        if len(data) == self.length(block) and zlib.crc32(data) == _MARK.unpack(mark)[1]:
            return data
        self.drop(block)
        raise DamagedBlock(f"block {block} was damaged")

    def length(self, block: int) -> int:
        """Return the bytes of a block."""
        return min(BLOCK, self.size - block * BLOCK)

    def write(self, block: int, data: Chunk) -> None:
        """Write a block and then its mark; the caller holds the claim of the block."""
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += os.pwrite(self._data, view[written:], block * BLOCK + written)
        os.pwrite(self._index, _MARK.pack(_IS_SET, zlib.crc32(view)), _MARKS_AT + block * _MARK.size)

    def drop(self, block: int) -> None:
        """Forget a block, and that the data was verified."""
        self._set_verified(_NO_TIME, _NO_TIME)
        os.pwrite(self._index, _NO_MARK, _MARKS_AT + block * _MARK.size)

    def drop_all(self) -> None:
        """Forget all blocks."""
        self._set_verified(_NO_TIME, _NO_TIME)
        os.ftruncate(self._index, _MARKS_AT)

    # the whole data

    def is_verified(self) -> bool:
        """Return whether all blocks are there, fit the image's hash, and were not written to since."""
        header, state = read_header(self._index), os.fstat(self._data)
        times = (state.st_mtime_ns, state.st_ctime_ns)
        return header is not None and header.verified == times and state.st_size == self.size

    def set_verified(self) -> None:
        """Note that the data, all of whose blocks are there, fits the image's hash, after it is on disk."""
        os.fsync(self._data)
        state = os.fstat(self._data)
        self._set_verified(state.st_mtime_ns, state.st_ctime_ns)

    def _set_verified(self, modified: int, changed: int) -> None:
        os.pwrite(self._index, struct.pack("<qq", modified, changed), _VERIFIED_AT)

    def reopen_data(self) -> int:
        """Return a new descriptor of the data, with a position of its own; the caller closes it."""
        return os.open(DATA, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)

    def reopen(self) -> Self:
        """Return this entry for a fill, which does not count as a reader."""
        names = (".", INDEX, DATA)
        flags = (os.O_RDONLY | os.O_DIRECTORY, os.O_RDWR, os.O_RDWR)
        opened: list[int] = []
        try:
            for name, flag in zip(names, flags, strict=True):
                opened.append(os.open(name, flag | os.O_CLOEXEC, dir_fd=self._directory))
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return type(self)(self.name, self.size, *opened)

    def claim_verification(self) -> "Claim | None":
        """Return the right to verify the data, None while another has it."""
        return self._claim(_VERIFYING, _VERIFYING + 1)

    # filling

    def claim(self, first: int, end: int) -> "Claim | None":
        """Return the right to fill blocks from ``first``, to before ``end`` at most; None if another fills ``first``.

        It ends before the first block that is there or that another fills.
        """
        end = self.present(first + 1, end) or end
        claim = self._claim(first, end)
        while claim is None and end > first:
            taken = locks.find_lock(self._index, first, end - first)
            end = end if taken is None else taken
            claim = self._claim(first, end) if end > first else None
        return claim

    def _claim(self, first: int, end: int) -> "Claim | None":
        descriptor = os.open(INDEX, os.O_RDWR | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            if locks.try_lock(descriptor, first, end - first):
                claim, descriptor = Claim(descriptor, first, end), -1
                return claim
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def close(self) -> None:
        """Close the files; may be repeated."""
        for descriptor in {self._directory, self._index, self._data} - {-1}:
            os.close(descriptor)
        self._directory = self._index = self._data = -1


class DamagedBlock(Exception):
    """A block did not have the checksum of its mark; it was dropped."""


class Claim:
    """The right to fill the blocks ``first`` to before ``end``; it ends when it is closed, or its process dies."""

    def __init__(self, descriptor: int, first: int, end: int) -> None:
        self.first = first
        self.end = end
        self._descriptor = descriptor

    def release(self, block: int) -> None:
        """Give up one block."""
        locks.unlock(self._descriptor, block)

    def has_readers(self) -> bool:
        """Return whether anybody has the entry open to read it."""
        return locks.find_lock(self._descriptor, _IN_USE) is not None

    def close(self) -> None:
        """Give up all blocks; may be repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


_MARKS_PER_READ = 8192
_VERIFIED_AT = 16
_PLANNED_AT = 32
_USED_AT = 40


def create(path: Path, size: int) -> None:
    """Make the files of an entry without blocks in the directory ``path``, which exists."""
    with open(path / INDEX, "xb") as index:
        index.write(_HEADER.pack(_MAGIC, size, _NO_TIME, _NO_TIME, 0, time.time_ns()))
        index.truncate(_MARKS_AT + -(-size // BLOCK) * _MARK.size)
    with open(path / DATA, "xb") as data:
        data.truncate(size)


class Header(NamedTuple):
    """The head of an index: the size of the image, both times of verified data, what fills may bring it to, last use.

    Times are in nanoseconds since 1970, by the clock of the node.
    """

    size: int
    verified_modified: int
    verified_changed: int
    planned: int
    used: int

    @property
    def verified(self) -> tuple[int, int]:
        """Return both times of verified data."""
        return self.verified_modified, self.verified_changed


def read_header(index: int) -> Header | None:
    """Return the head of an open index; None if it is no index of this version."""
    raw = os.pread(index, _HEADER.size, 0)
    if len(raw) < _HEADER.size or not raw.startswith(_MAGIC):
        return None
    return Header(*_HEADER.unpack(raw)[1:])


def set_planned(index: int, count: int) -> None:
    """Write the bytes that fills may bring the data to into an open index."""
    os.pwrite(index, struct.pack("<Q", count), _PLANNED_AT)


def set_used(index: int, time_ns: int) -> None:
    """Write the time of the last use into an open index."""
    os.pwrite(index, struct.pack("<q", time_ns), _USED_AT)


def count_marks(index: int, first: int, end: int) -> int:
    """Return how many of the blocks from ``first`` to before ``end`` are marked in an open index."""
    steps = range(first, end, _MARKS_PER_READ)
    return sum(sum(_read_states(index, start, min(end, start + _MARKS_PER_READ))) for start in steps)


def try_lock_all(index: int) -> bool:
    """Lock an open index against readers and fills; False if somebody uses the entry."""
    return locks.try_lock(index, 0, _EVERYTHING)


def _read_states(index: int, first: int, end: int) -> list[bool]:
    """Return whether each of the blocks is marked in an open index."""
    raw = os.pread(index, (end - first) * _MARK.size, _MARKS_AT + first * _MARK.size).ljust(
        (end - first) * _MARK.size, b"\0"
    )
    return [state == _IS_SET for state, _ in _MARK.iter_unpack(raw)]


def _is_same(path: Path, directory: int) -> bool:
    return os.stat(path).st_ino == os.fstat(directory).st_ino
