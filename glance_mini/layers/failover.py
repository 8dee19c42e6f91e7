"""Reads data that is stored in several places: when one fails the next goes on at the offset that was reached."""

import logging
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from glance_mini.domain.image import Location
from glance_mini.metrics import Metrics
from glance_mini_store import errors as store_errors
from glance_mini_store.registry import Stores

LOG = logging.getLogger(__name__)


class FailoverChunks(Iterator[bytes]):
    """``length`` bytes from ``offset`` out of the first of ``locations`` that gives them.

    ``file`` is set where the data is a local file that a server may send by itself.
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
        self._source: Iterator[bytes] = iter(())
        self._ahead: bytes | None = None
        self._done = 0

    def open(self) -> None:
        """Open the first location that can be read; raises the last store's error where none can.

        The first block of a stream is read ahead, so that a store that fails is noticed before an answer begins.
        """
        while True:
            try:
                self._open_next()
                return
            except store_errors.StoreError as error:
                self._note(error)
                if not self._waiting:
                    raise

    def __next__(self) -> bytes:
        if self._ahead is not None:
            chunk, self._ahead = self._ahead, None
        else:
            chunk = self._read()
        self._done += len(chunk)
        return chunk

    def close(self) -> None:
        """End the source in use."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _read(self) -> bytes:
        while self._done < self.length:
            error: store_errors.StoreError
            try:
                return next(self._source)
            except StopIteration:
                error = store_errors.SizeMismatch(expected=self.length, received=self._done)
            except store_errors.StoreError as failed:
                error = failed
            self._note(error)
            self.close()
            if not self._waiting:
                raise error
            self._source = iter(())
            self._continue()
        raise StopIteration

    def _continue(self) -> None:
        try:
            self._open_next()
        except store_errors.StoreError as error:
            self._note(error)

    def _open_next(self) -> None:
        location = self._waiting.pop(0)
        store = self._stores.for_location(location.url, location.store)
        offset, left = self.offset + self._done, self.length - self._done
        part = self._is_part or self._done > 0
        self._source = store.read(location.url, offset, left) if part else store.read(location.url)
        self.file = getattr(self._source, "file", None) if not self._done else None
        if self.file is None and left:
            self._ahead = next(self._source, None)

    def _note(self, error: store_errors.StoreError) -> None:
        self._metrics.store_failures.labels(error.store or "unknown").inc()
        LOG.warning("A location could not be read at %d of %d bytes: %s", self._done, self.length, error)
