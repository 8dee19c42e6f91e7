"""Counts, limits, hashes and observes the bytes of one write between the caller and the driver.

It ensures that a driver that reads to the end has read exactly the announced size, and records why the stream
failed. It does not decide where the data goes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from glance_mini_store import errors
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import Hashes


class Observer(Protocol):
    """Sees the bytes as they pass and may raise to refuse them.

    An observer may also have ``finish()``, which is called after the last byte and before the driver publishes
    the data.
    """

    def update(self, data: Chunk, /) -> object:
        """Process the next bytes, which may change after that."""


class CheckedStream:
    """An iterable of the checked chunks, to be read once by a driver.

    ``received`` counts the bytes; ``failure`` is the error that stopped the stream, None if the driver stopped it;
    ``digests`` is None until the stream has ended properly.
    """

    def __init__(
        self,
        chunks: Iterable[Chunk],
        hashes: Hashes,
        observers: Sequence[Observer],
        size: int | None,
        limit: int | None,
    ) -> None:
        self.received = 0
        self.failure: BaseException | None = None
        self.digests: dict[str, str] | None = None
        self._chunks = chunks
        self._hashes = hashes
        self._observers = observers
        self._size = size
        self._limit = limit

    def __iter__(self) -> Iterator[Chunk]:
        try:
            for chunk in self._chunks:
                if chunk:
                    self._take(chunk)
                    yield chunk
            self._complete()
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            raise

    def _take(self, chunk: Chunk) -> None:
        self.received += len(chunk)
        if self._limit is not None and self.received > self._limit:
            raise errors.SizeLimitExceeded(limit=self._limit)
        if self._size is not None and self.received > self._size:
            raise errors.SizeMismatch(expected=self._size, received=self.received)
        for observer in self._observers:
            observer.update(chunk)
        self._hashes.update(chunk)

    def _complete(self) -> None:
        if self._size is not None and self.received != self._size:
            raise errors.SizeMismatch(expected=self._size, received=self.received)
        for observer in self._observers:
            if (finish := getattr(observer, "finish", None)) is not None:
                finish()
        self.digests = self._hashes.finish()
