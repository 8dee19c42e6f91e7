"""Reads an object, or a part of it, and goes on at its offset where a connection breaks off."""

import logging
import time
from collections.abc import Iterator

from glance_mini_store import errors
from glance_mini_store.drivers.s3.bucket import Bucket
from glance_mini_store.drivers.s3.library import Reply
from glance_mini_store.ranges import RangeMemory, open_ranges
from glance_mini_store.redaction import redact
from glance_mini_store.streams import BLOCK

LOG = logging.getLogger(__name__)

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 20.0
"""Seconds."""


def open_range(
    bucket: Bucket,
    key: str,
    location: str,
    offset: int,
    length: int | None,
    attempts: int,
    memory: RangeMemory,
    etag: str | None = None,
) -> Iterator[bytes]:
    """Return the bytes as ``Driver.read`` does; ``attempts`` is how often a read is tried without progress.

    Many bytes are read in several ranges if ``memory`` has room. With ``etag``, nothing is read of an object that has
    another one: DataChanged.
    """

    def request(start: int, end: int | None) -> ObjectRange:
        return ObjectRange(bucket, key, location, bucket.get(key, start, end, etag), start, attempts)

    with bucket.failures.reading(location):
        if length != 0:
            try:
                return open_ranges(request, offset, length, memory)
            except bucket.failures.types as error:
                if not bucket.failures.of(error).is_outside:
                    raise
        memory.end()
        reply = bucket.head(key)
    if reply is None:
        raise errors.NotFound(location=location)
    if offset > reply["ContentLength"]:
        raise errors.InvalidRange(offset=offset, location=location)
    return iter(())


class ObjectRange(Iterator[bytes]):
    """The bytes that ``reply`` begins, from ``offset``; later requests demand the same ETag."""

    def __init__(self, bucket: Bucket, key: str, location: str, reply: Reply, offset: int, attempts: int) -> None:
        self._bucket = bucket
        self._key = key
        self._location = location
        self._attempts = attempts
        self._body = reply["Body"]
        self._etag = reply.get("ETag")
        self._position = offset
        self._end = offset + reply["ContentLength"]
        self._size = _object_size(reply)
        self._failed = 0
        if _start(reply) != offset:
            self.close()
            raise _other_range()

    @property
    def end(self) -> int:
        """Return the offset behind the last byte."""
        return self._end

    @property
    def object_size(self) -> int | None:
        """Return the size in bytes of the whole object; None without an ETag, or as unknown."""
        return self._size if self._etag else None

    def fetch(self, start: int, end: int) -> "ObjectRange":
        """Return other bytes of the same object."""
        with self._bucket.failures.reading(self._location):
            reply = self._bucket.get(self._key, start, end, self._etag)
        return ObjectRange(self._bucket, self._key, self._location, reply, start, self._attempts)

    def __next__(self) -> bytes:
        if self._position == self._end:
            self.close()
            raise StopIteration
        while not (block := self._read()):
            self._resume()
        self._position += len(block)
        self._failed = 0
        return block

    def close(self) -> None:
        """End the connection; may be repeated."""
        self._body.close()

    def _read(self) -> bytes:
        """Return the next block; nothing if the connection has broken off."""
        try:
            return self._body.read(min(BLOCK, self._end - self._position))
        except self._bucket.failures.types as error:
            LOG.info(
                "reading %s broke off at byte %s: %s", redact(self._location), self._position, type(error).__name__
            )
            return b""

    def _resume(self) -> None:
        self.close()
        self._failed += 1
        if self._failed >= self._attempts:
            raise errors.RemoteServiceUnavailable(reason="the S3 service breaks off")
        time.sleep(min(_FIRST_DELAY * 2 ** (self._failed - 1), _LONGEST_DELAY))
        with self._bucket.failures.reading(self._location):
            reply = self._bucket.get(self._key, self._position, self._end, self._etag)
        self._body = reply["Body"]
        if _start(reply) != self._position:
            self.close()
            raise _other_range()


def _start(reply: Reply) -> int:
    """Return the offset of the first byte of an answer, 0 without a range."""
    text = reply.get("ContentRange", "bytes 0-").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdigit() else -1


def _object_size(reply: Reply) -> int | None:
    """Return the size of the object of which an answer holds a range; None as unknown (RFC 9110 section 14.4)."""
    if "ContentRange" not in reply:
        return reply["ContentLength"]
    text = reply["ContentRange"].rpartition("/")[2]
    return int(text) if text.isdigit() else None


def _other_range() -> errors.RemoteServiceUnavailable:
    return errors.RemoteServiceUnavailable(reason="the S3 service sent another range than the one asked for")
