"""The chunks of a write as a file, which is what a foreign driver reads."""

from collections.abc import Iterable

from glance_mini_store import errors
from glance_mini_store.lanes import Chunk


class ChunkFile:
    """A file that can be read once; it holds one chunk. ``failure`` is what the chunks raised."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.failure: BaseException | None = None
        self._chunks = iter(chunks)
        self._rest: memoryview = memoryview(b"")
        self._received = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes: all that are left if ``size`` is negative, else at most ``size``; none at the end.

        A call returns bytes of one chunk, so it may return less than ``size`` before the end.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(_AT_ONCE), b""))
        if not self._rest:
            self._rest = memoryview(self._next())
        part = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        self._received += len(part)
        return part

    def finish(self) -> None:
        """Read to the end, for a driver that reads as many bytes as were announced; raises what the chunks raise.

        Raises SizeMismatch if the driver has left bytes.
        """
        left = len(self._rest) or len(self._next())
        if left:
            raise errors.SizeMismatch(expected=self._received + left, received=self._received)

    def _next(self) -> Chunk:
        try:
            return next((chunk for chunk in self._chunks if chunk), b"")
        except BaseException as failure:
            self.failure = failure
            raise


_AT_ONCE = 4 * 1024 * 1024
