"""Reads an object; a read that breaks off goes on at the byte that was reached."""

import re
import time
from collections.abc import Iterator

from glance_mini_store import errors
from glance_mini_store.drivers.swift.answers import failed, refuse_use
from glance_mini_store.drivers.swift.attempts import DELAYS
from glance_mini_store.drivers.swift.client import Request, Stream
from glance_mini_store.drivers.swift.objects import Place
from glance_mini_store.streams import BLOCK

_OF_RANGE = re.compile(r"bytes (?:\*|\d+-\d+)/(\d+)")


class Reading(Iterator[bytes]):
    """The bytes of ``place`` from ``offset``, at most ``length`` (None: to the end), in blocks of 1 MiB.

    After a break it is continued ``retries`` times, if the object is still the same. Raises NotFound, Forbidden,
    InvalidRange, RemoteServiceUnavailable.
    """

    def __init__(self, place: Place, offset: int, length: int | None, retries: int, etag: str = "") -> None:
        """With ``etag``, nothing is read of an object that has another one."""
        self._place = place
        self._position = offset
        self._left = length
        self._retries = retries
        self._tried = 0
        self._etag = etag
        self._size: int | None = None
        self._stream: Stream | None = None

    def open(self) -> None:
        """Send the request; call it once, before the first block."""
        if self._left == 0:
            self._require(size_of(self._place))
            return
        stream = self._request()
        if stream.status == 416 or (stream.status == 200 and self._position):
            # Swift sends an empty object whole, whatever the range.
            found = self._size_of(stream)
            stream.close()
            size = size_of(self._place) if found is None else found
            self._require(size)
            if size != self._position:
                raise failed(stream.status)
            self._left = 0
            return
        if stream.status not in (200, 206):
            stream.close()
            refuse_use(stream.status, self._place.location)
            raise failed(stream.status)
        self._stream = stream
        self._etag = stream.headers.get("etag", "")
        if "content-length" in stream.headers:
            available = int(stream.headers["content-length"])
            self._left = available if self._left is None else min(self._left, available)
            self._size = self._size_of(stream) if stream.status == 206 else available

    @property
    def end(self) -> int:
        """Return the offset behind the last byte."""
        return self._position + (self._left or 0)

    @property
    def object_size(self) -> int | None:
        """Return the size in bytes of the whole object; None without an ETag, or as unknown."""
        return self._size if self._etag else None

    def fetch(self, start: int, end: int) -> "Reading":
        """Return other bytes of the same object."""
        reading = Reading(self._place, start, end - start, self._retries, self._etag)
        reading.open()
        return reading

    def __next__(self) -> bytes:
        while self._left != 0:
            try:
                block = self._read()
            except errors.RemoteServiceUnavailable:
                self.close()
                if self._tried == self._retries:
                    raise
                time.sleep(DELAYS[min(self._tried, len(DELAYS) - 1)])
                self._tried += 1
                continue
            if not block:
                break
            self._position += len(block)
            if self._left is not None:
                self._left -= len(block)
            return block
        if self._stream is not None and self._left == 0:
            self._stream.keep()
        self.close()
        self._left = 0
        raise StopIteration

    def close(self) -> None:
        """Close the connection; may be repeated."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _read(self) -> bytes:
        """Return the next block, none at the end of an object of unknown size."""
        if self._stream is None:
            self._reopen()
        assert self._stream is not None
        block = self._stream.read(BLOCK if self._left is None else min(BLOCK, self._left))
        if not block and self._left:
            raise errors.RemoteServiceUnavailable(reason=f"Swift sent {self._left} bytes too few")
        return block

    def _reopen(self) -> None:
        stream = self._request()
        if stream.status != 206 and not (stream.status == 200 and not self._position):
            stream.close()
            refuse_use(stream.status, self._place.location)
            raise failed(stream.status)
        self._stream = stream

    def _request(self) -> Stream:
        headers = {}
        if self._position or self._left is not None:
            end = "" if self._left is None else self._position + self._left - 1
            headers["Range"] = f"bytes={self._position}-{end}"
        if self._etag:
            headers["If-Match"] = self._etag
        request = Request("GET", self._place.container, self._place.name, headers=headers)
        return self._place.client.open(self._place.account, request)

    def _size_of(self, stream: Stream) -> int | None:
        """Return the size of the object of which an answer tells, or holds, a range; None as unknown."""
        found = _OF_RANGE.fullmatch(stream.headers.get("content-range", ""))
        return int(found[1]) if found else None

    def _require(self, size: int) -> None:
        if self._position > size:
            raise errors.InvalidRange(offset=self._position, location=self._place.location)


def size_of(place: Place, etag: str = "") -> int:
    """Return the size of the data in bytes. Raises NotFound, Forbidden, RemoteServiceUnavailable.

    With ``etag``, it is that of an object that has this one, else DataChanged.
    """
    answer = place.send("HEAD")
    refuse_use(answer.status, place.location)
    if etag and answer.headers.get("etag") != etag:
        raise errors.DataChanged(location=place.location)
    return int(answer.headers.get("content-length", "0"))
