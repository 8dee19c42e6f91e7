"""Streams of bytes: a part of a local file, a part of a stream, and the hashes of a stream.

Each stream needs memory for a few blocks only. Nothing here knows of stores.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol

from glance_mini_store import errors
from glance_mini_store.holes import Holes
from glance_mini_store.lanes import Chunk, Lane

BLOCK = 1024 * 1024
"""The usual size of a block in bytes."""

FILE_BLOCK = 256 * 1024
"""The size of a block that is read from a local file.

The C library takes the memory of larger ones from the system and gives it back, each time, and touching new pages costs
more than to read them: 0.5 s of processor time for a GiB (see ``buffers.give_freed_blocks_back``).
"""

_ZEROS = bytes(BLOCK)


class FilePart(NamedTuple):
    """``length`` bytes from ``offset`` of an open local ``file``, to be sent without being read."""

    file: BinaryIO
    offset: int
    length: int


class FileRange(Iterator[bytes]):
    """``length`` bytes of an open local ``file`` from ``offset``; a server may use sendfile instead.

    The position of the file is ``offset``. ``close`` and the end of the iteration close the file. Raises SizeMismatch
    if the file has become shorter, RemoteServiceUnavailable if the disk fails.
    """

    def __init__(self, file: BinaryIO, offset: int, length: int) -> None:
        self.file = file
        self.offset = offset
        self.length = length
        self._position = offset
        self._holes: Holes | None = None
        file.seek(offset)

    def __next__(self) -> bytes:
        left = self.offset + self.length - self._position
        if not left:
            self.close()
            raise StopIteration
        block = self._read(left)
        if not block:
            self.close()
            raise errors.SizeMismatch(expected=self.length, received=self.length - left)
        self._position += len(block)
        return block

    def close(self) -> None:
        """Close the file; may be repeated."""
        self.file.close()
        if self._holes is not None:
            self._holes.close()

    def _read(self, left: int) -> bytes:
        if self._holes is None:
            self._holes = Holes(self.file.fileno())
        for size in (min(BLOCK, left), min(FILE_BLOCK, left)):
            if self._holes.cover(self._position, size):
                return _ZEROS[:size]
        try:
            return os.pread(self.file.fileno(), size, self._position)
        except OSError as error:
            self.close()
            raise errors.RemoteServiceUnavailable(reason=f"reading a file failed: {error.strerror}") from error


def cut(chunks: Iterable[bytes], offset: int, length: int | None, location: str) -> Iterator[bytes]:
    """Yield the bytes of ``chunks`` from ``offset``, at most ``length``.

    Earlier bytes are read and dropped. Raises InvalidRange for ``location`` if the stream ends before ``offset``.
    """
    before, left = offset, length
    try:
        for chunk in chunks:
            part = chunk[before:] if before else chunk
            before = max(0, before - len(chunk))
            if left is not None:
                part = part[:left]
                left -= len(part)
            if part:
                yield part
            if left == 0 and not before:
                return
        if before:
            raise errors.InvalidRange(offset=offset, location=location)
    finally:
        close(chunks)


def close(chunks: object) -> None:
    """Close an iterator of bytes, if it has ``close``."""
    if (method := getattr(chunks, "close", None)) is not None:
        method()


class Hashes:
    """Hashes the same chunks with several algorithms: in the caller, or each in a thread of its own.

    ``depth``: how many chunks wait for a thread, None for no threads; see ``Lane``. Raises UnknownHashingAlgo.
    """

    def __init__(self, algorithms: Sequence[str], depth: int | None = None) -> None:
        self._hashes = {name: _new_hash(name) for name in algorithms}
        self._lanes = [
            Lane("store-hash", partial(_hash_all, algorithm), depth)
            for algorithm in self._hashes.values()
            if depth is not None
        ]

    def update(self, chunk: Chunk) -> None:
        """Hash one more chunk; waits while the threads are too far behind."""
        for lane in self._lanes:
            lane.put(chunk)
        if not self._lanes:
            for algorithm in self._hashes.values():
                algorithm.update(chunk)

    def finish(self) -> dict[str, str]:
        """Return the hex digest of each algorithm after all chunks have been hashed."""
        self.close()
        for lane in self._lanes:
            lane.result()
        return {name: algorithm.hexdigest() for name, algorithm in self._hashes.items()}

    def close(self) -> None:
        """End the threads; may be repeated."""
        for lane in self._lanes:
            lane.end()


def _hash_all(algorithm: "_Hash", chunks: Iterator[Chunk]) -> None:
    for chunk in chunks:
        algorithm.update(chunk)


class _Hash(Protocol):
    def update(self, data: Chunk, /) -> None: ...

    def hexdigest(self) -> str: ...


def _new_hash(name: str) -> _Hash:
    """Return a new hash; raises UnknownHashingAlgo also for one without a fixed digest length (shake)."""
    try:
        algorithm = hashlib.new(name, usedforsecurity=False)
    except ValueError as error:
        raise errors.UnknownHashingAlgo(algorithm=name) from error
    if not algorithm.digest_size:
        raise errors.UnknownHashingAlgo(algorithm=name)
    return algorithm
