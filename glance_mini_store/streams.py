"""Streams of bytes: a part of a local file, a part of a stream, and the hashes of a stream.

Each stream needs memory for a few blocks only. Nothing here knows of stores.
"""

import hashlib
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Protocol

from glance_mini_store import errors

BLOCK = 1024 * 1024
"""The usual size of a block in bytes."""

_WAITING_BLOCKS = 1


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
        file.seek(offset)

    def __next__(self) -> bytes:
        left = self.offset + self.length - self._position
        if not left:
            self.close()
            raise StopIteration
        block = self._read(min(BLOCK, left))
        if not block:
            self.close()
            raise errors.SizeMismatch(expected=self.length, received=self.length - left)
        self._position += len(block)
        return block

    def close(self) -> None:
        """Close the file; may be repeated."""
        self.file.close()

    def _read(self, size: int) -> bytes:
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
    """Hashes the same blocks with several algorithms, in the caller or in ``threads`` (at most one for each).

    A block is not copied and must not change afterwards. One block is queued at most. Raises UnknownHashingAlgo.
    """

    def __init__(self, algorithms: Sequence[str], threads: int = 0) -> None:
        self._hashes = {name: _new_hash(name) for name in algorithms}
        hashes = list(self._hashes.values())
        count = min(threads, len(hashes))
        self._lanes: list[_Lane] = [_ThreadLane(hashes[number::count]) for number in range(count)]
        if not count:
            self._lanes.append(_Lane(hashes))

    def update(self, block: bytes) -> None:
        """Hash one more block; waits while the threads are more than two blocks behind."""
        for lane in self._lanes:
            lane.put(block)

    def finish(self) -> dict[str, str]:
        """Return the hex digest of each algorithm after all blocks have been hashed."""
        for lane in self._lanes:
            lane.finish()
        return {name: algorithm.hexdigest() for name, algorithm in self._hashes.items()}

    def close(self) -> None:
        """End the threads; may be repeated."""
        for lane in self._lanes:
            lane.close()


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

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


class _Lane:
    """Hashes that the calling thread computes."""

    def __init__(self, hashes: Sequence[_Hash]) -> None:
        self._hashes = hashes

    def put(self, block: bytes) -> None:
        for algorithm in self._hashes:
            algorithm.update(block)

    def finish(self) -> None:
        """Return when all blocks have been hashed."""

    def close(self) -> None:
        """Do nothing: there is no thread."""


class _ThreadLane(_Lane):
    """Hashes that a separate thread computes, at most two blocks behind."""

    def __init__(self, hashes: Sequence[_Hash]) -> None:
        super().__init__(hashes)
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=_WAITING_BLOCKS)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="store-hash", daemon=True)
        self._thread.start()

    def put(self, block: bytes) -> None:
        self._queue.put(block)

    def finish(self) -> None:
        self.close()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (block := self._queue.get()) is not None:
            if self._failure is None:
                self._hash(block)

    def _hash(self, block: bytes) -> None:
        try:
            super().put(block)
        except Exception as error:
            self._failure = error
