"""The chunks of a write, taken in pieces of the sizes that parts have; a part is in memory or in a temporary file."""

import abc
import tempfile
from collections.abc import Iterable, Iterator

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.s3.bucket import Data
from glance_mini_store.drivers.s3.parts import is_in_memory
from glance_mini_store.lanes import Chunk


class Source:
    """The bytes of ``chunks``; each is read before the next is asked for."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def take(self, size: int) -> Iterator[memoryview]:
        """Yield the next ``size`` bytes, fewer at the end; a block is valid until the next is asked for."""
        while size:
            if not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._rest = memoryview(chunk)
            block, self._rest = self._rest[:size], self._rest[size:]
            size -= len(block)
            yield block


class PartBuffer(abc.ABC):
    """Room for one part of up to ``size`` bytes; ``filled`` of them are there."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.filled = 0

    @property
    def is_full(self) -> bool:
        """Return whether the part is complete; after ``fill``, one that is not is the last."""
        return self.filled == self.size

    @abc.abstractmethod
    def fill(self, source: Source) -> None:
        """Replace the content with the next bytes of ``source``; its errors pass unchanged."""

    @property
    @abc.abstractmethod
    def data(self) -> Data:
        """Return the bytes, to be sent."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release the memory or the file; may be repeated."""


class _Memory(PartBuffer):
    """Memory that was borrowed from ``budget``."""

    def __init__(self, size: int, budget: Buffers) -> None:
        super().__init__(size)
        self._lender: Buffers | None = budget
        self._bytes = bytearray(size)

    def fill(self, source: Source) -> None:
        self.filled = 0
        for block in source.take(self.size):
            self._bytes[self.filled : self.filled + len(block)] = block
            self.filled += len(block)

    @property
    def data(self) -> bytearray:
        del self._bytes[self.filled :]
        return self._bytes

    def close(self) -> None:
        self._bytes = bytearray()
        if self._lender is not None:
            self._lender.give_back(self.size)
            self._lender = None


class _File(PartBuffer):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def fill(self, source: Source) -> None:
        self.filled = 0
        self._file.seek(0)
        for block in source.take(self.size):
            self._write(block)
            self.filled += len(block)
        self._file.truncate(self.filled)

    def _write(self, block: memoryview) -> None:
        try:
            self._file.write(block)
        except OSError as error:
            reason = f"a part cannot be kept in a temporary file: {error.strerror}"
            raise errors.StorageFull(reason=reason) from error

    @property
    def data(self) -> Data:
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._file.close()


def new_buffer(size: int, budget: Buffers) -> PartBuffer:
    """Return room for a part of ``size`` bytes: in memory, if it is small and ``budget`` lends it, else in a file."""
    return memory_buffer(size, budget) or _File(size)


def memory_buffer(size: int, budget: Buffers) -> PartBuffer | None:
    """Return room in memory; None if the part is too large, or ``budget`` does not lend it."""
    return _Memory(size, budget) if is_in_memory(size) and budget.borrow(size) else None
