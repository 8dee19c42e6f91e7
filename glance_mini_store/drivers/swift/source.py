"""The chunks of a write, cut into pieces that are sent one by one. No byte is copied."""

from collections.abc import Iterable, Iterator

from glance_mini_store import errors
from glance_mini_store.lanes import Chunk

PIECE = 64 * 1024
"""The largest piece in bytes; each must be sent within the time-out of a connection."""


class Source:
    """The rest of the chunks. ``failure`` is what they raised, ``received`` how many bytes were taken."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.failure: BaseException | None = None
        self.received = 0
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def is_empty(self) -> bool:
        """Return whether no byte is left; asks for the next chunk if need be. Raises what the chunks raise."""
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return True
            except BaseException as failure:
                self.failure = failure
                raise
        return False

    def take(self, limit: int) -> Iterator[memoryview]:
        """Yield the next ``limit`` bytes, or less at the end; a piece is valid until the next one is asked for."""
        left = limit
        while left and not self.is_empty():
            piece = self._rest[: min(left, PIECE)]
            self._rest = self._rest[len(piece) :]
            left -= len(piece)
            self.received += len(piece)
            yield piece

    def take_all(self, size: int) -> Iterator[memoryview | bytes]:
        """Yield all bytes, which must be ``size`` (more than none). The end is known before the last piece comes.

        Raises SizeMismatch.
        """
        for piece in self.take(size):
            if self.received < size:
                yield piece
            else:
                last = bytes(piece)
                self.require_end(size)
                yield last
        self.require_end(size)

    def require_end(self, size: int) -> None:
        """Raise SizeMismatch unless ``size`` bytes were taken and none is left."""
        if self.received != size or not self.is_empty():
            raise errors.SizeMismatch(expected=size, received=self.received + len(self._rest))
