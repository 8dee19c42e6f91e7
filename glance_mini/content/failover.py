"""Reads data that is stored in several places; if one fails, the next continues at the offset reached."""

import logging
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from glance_mini.domain.image import Location
from glance_mini.metrics import Metrics
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)


class FailoverChunks(Iterator[bytes]):
    """``length`` bytes from ``offset`` from the first of ``locations`` that can be read.

    ``file`` is set if the data is a local file that a server may send directly.
    """

    def __init__(
        self,
        stores: Stores,
        locations: Sequence[Location],
        offset: int,
        length: int,
        is_part: bool,
        metrics: Metrics,
    ) -> None:
        self.file: BinaryIO | None = None
        self.offset = offset
        self.length = length
        self._stores = stores
        self._waiting = list(locations)
        self._is_part = is_part
        self._metrics = metrics
        self._source: Iterator[bytes] | None = None
        self._ahead: bytes | None = None
        self._done = 0

    def open(self) -> None:
        """Open the first location that can be read.

        If no location can be read, raises NotFound if all lack the data, else the first other error. The first block
        of a stream is read ahead, so that a store that fails is noticed before the response begins.
        """
        reason: store_errors.StoreError | None = None
        while True:
            try:
                self._open_next()
                return
            except store_errors.FetchCancelled:
                raise
            except store_errors.StoreError as error:
                self._note(error)
                self.close()
                if reason is None or isinstance(reason, store_errors.NotFound):
                    reason = error
                if not self._waiting:
                    raise reason from None

    def __next__(self) -> bytes:
        while self._done < self.length:
            try:
                chunk = self._take()[: self.length - self._done]
            except store_errors.FetchCancelled:
                raise
            except store_errors.StoreError as error:
                self._note(error)
                self.close()
                if not self._waiting:
                    raise
                self._source = None
            else:
                self._done += len(chunk)
                return chunk
        raise StopIteration

    def close(self) -> None:
        """Close the source in use."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _take(self) -> bytes:
        """Return the next block from the location in use, or from the next one if that has failed."""
        if self._source is None:
            self._open_next()
        assert self._source is not None
        chunk, self._ahead = self._ahead, None
        if chunk is None:
            chunk = next(self._source, None)
        if chunk is None:
            raise store_errors.SizeMismatch(expected=self.length, received=self._done)
        return chunk

    def _open_next(self) -> None:
        location = self._waiting.pop(0)
        store = self._stores.for_location(location.url, location.store)
        if location.is_trusted:
            store = store.trusting()
        offset, left = self.offset + self._done, self.length - self._done
        part = self._is_part or self._done > 0
        self._source = store.read(location.url, offset, left) if part else store.read(location.url)
        self.file = getattr(self._source, "file", None) if not self._done else None
        if self.file is None and left:
            self._ahead = next(self._source, None)

    def _note(self, error: store_errors.StoreError) -> None:
        self._metrics.store_failures.labels(error.store or "unknown").inc()
        LOG.warning("A location could not be read at %d of %d bytes: %s", self._done, self.length, error)
