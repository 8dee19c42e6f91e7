"""Reads data that is stored in several places; if one fails, the next continues at the offset reached."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO

from glance_mini.domain.image import Location
from glance_mini.metrics import Metrics
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import TRANSFER, Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

_ENDS = (store_errors.FetchCancelled, store_errors.BuffersExhausted)
"""Errors that no other location can help."""


def store_of(stores: Stores, location: Location, caller: Caller | None = None) -> Store:
    """Return the store that reads ``location`` for ``caller``, None for the service itself. Raises UnknownScheme.

    Data of a user is always read by the service itself, and only while it is what it was.
    """
    store = stores.for_location(location.url, location.store)
    if location.is_trusted:
        store = store.trusting()
    if location.version is not None:
        return store.pinned(location.version)
    return store if caller is None else store.for_caller(caller)


class FailoverChunks(Iterator[bytes]):
    """``length`` bytes from ``offset`` from the first of ``locations`` that can be read.

    ``file`` is set if the data is a local file that a server may send directly. All other data needs memory: a share of
    ``buffers`` until ``close``; None: the caller holds one. Stores read for ``caller``; None: for the service itself.
    """

    def __init__(
        self,
        stores: Stores,
        locations: Sequence[Location],
        offset: int,
        length: int,
        is_part: bool,
        metrics: Metrics,
        buffers: Buffers | None = None,
        caller: Caller | None = None,
    ) -> None:
        self.file: BinaryIO | None = None
        self.offset = offset
        self.length = length
        self._stores = stores
        self._waiting = list(locations)
        self._is_part = is_part
        self._metrics = metrics
        self._buffers = buffers
        self._caller = caller
        self._share = ExitStack()
        self._source: Iterator[bytes] | None = None
        self._ahead: bytes | None = None
        self._done = 0

    def open(self) -> None:
        """Open the first location that can be read.

        If no location can be read, raises NotFound if all lack the data, else the first other error. The first block
        of a stream is read ahead, so that a store that fails is noticed before the response begins. Raises
        BuffersExhausted.
        """
        try:
            self._open_first()
        except BaseException:
            self.close()
            raise

    def _open_first(self) -> None:
        reason: store_errors.StoreError | None = None
        while True:
            try:
                self._open_next()
                return
            except _ENDS:
                raise
            except store_errors.StoreError as error:
                self._note(error)
                self._close_source()
                if reason is None or isinstance(reason, store_errors.NotFound):
                    reason = error
                if not self._waiting:
                    raise reason from None

    def __next__(self) -> bytes:
        while self._done < self.length:
            try:
                chunk = self._take()[: self.length - self._done]
            except _ENDS:
                raise
            except store_errors.StoreError as error:
                self._note(error)
                self._close_source()
                if not self._waiting:
                    raise
                self._source = None
            else:
                self._done += len(chunk)
                return chunk
        raise StopIteration

    def close(self) -> None:
        """Close the source in use and give the memory back."""
        self._share.close()
        self._close_source()

    def _close_source(self) -> None:
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
        store = store_of(self._stores, location, self._caller)
        offset, left = self.offset + self._done, self.length - self._done
        part = self._is_part or self._done > 0
        self._source = store.read(location.url, offset, left) if part else store.read(location.url)
        self.file = getattr(self._source, "file", None) if not self._done else None
        if left and (self.file is None or part):
            self._take_share()
        if left and self.file is None:
            self._ahead = next(self._source, None)

    def _take_share(self) -> None:
        if self._buffers is not None:
            self._share.enter_context(self._buffers.share(TRANSFER))
            self._buffers = None

    def _note(self, error: store_errors.StoreError) -> None:
        self._metrics.store_failures.labels(error.store or "unknown").inc()
        LOG.warning("A location could not be read at %d of %d bytes: %s", self._done, self.length, error)
