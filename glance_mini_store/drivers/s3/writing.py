"""Writes one object: at once if it is small, else in parts; it appears in one step and never replaces another.

A write marks its object. If the answer to the last request is lost, the mark tells whether the object is there.
"""

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.s3.bucket import Bucket, is_of_write
from glance_mini_store.drivers.s3.parts import part_size
from glance_mini_store.drivers.s3.sending import Sending
from glance_mini_store.drivers.s3.source import PartBuffer, Source, new_buffer
from glance_mini_store.lanes import Chunk

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes: an object of ``large_object`` or more goes in parts of ``part`` or more, ``threads`` at once.

    ``ranges`` are read ahead at once.
    """

    large_object: int
    part: int
    threads: int
    ranges: int


class Writing:
    """One write of ``key``; ``location`` stands in errors. Parts in memory are borrowed from ``budget``.

    With ``creates_bucket`` a missing bucket is created.
    """

    def __init__(
        self, bucket: Bucket, key: str, location: str, limits: Limits, budget: Buffers, creates_bucket: bool
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._location = location
        self._limits = limits
        self._budget = budget
        self._creates_bucket = creates_bucket
        self._mark = uuid.uuid4().hex
        self._failures = bucket.failures

    def write(self, chunks: Iterable[Chunk], size: int | None) -> int:
        """Write all ``chunks`` and return their size; errors as ``Driver.write``."""
        self._call(self._refuse_duplicate)
        source = Source(chunks)
        part = part_size(0, self._limits.part, size)
        # A buffer that is full would begin an object in parts.
        first = new_buffer(part if size is None else min(part, size + 1), self._budget)
        try:
            first.fill(source)
            if first.is_full or first.filled >= self._limits.large_object:
                return self._write_parts(first, source, size)
            self._publish(lambda: self._in_bucket(lambda: self._bucket.put(self._key, first.data, self._mark)))
            return first.filled
        finally:
            first.close()

    def _write_parts(self, first: PartBuffer, source: Source, size: int | None) -> int:
        upload = self._call(lambda: self._in_bucket(lambda: self._bucket.begin(self._key, self._mark)))
        sending = Sending(
            lambda number, part: self._call(lambda: self._bucket.send(self._key, upload, number, part.data)),
            self._limits.threads,
            self._budget,
        )
        try:
            total = self._send_all(sending, first, source, size)
            etags = sending.finish()
            self._call(self._refuse_duplicate)
            self._publish(lambda: self._bucket.complete(self._key, upload, etags))
        except BaseException as failure:
            sending.close()
            self._abort(upload, failure)
            raise
        finally:
            sending.close()
        self._check_size(total)
        return total

    def _send_all(self, sending: Sending, part: PartBuffer, source: Source, size: int | None) -> int:
        total = 0
        while part.filled:
            total += part.filled
            is_last = not part.is_full
            sending.send(part)
            if is_last:
                break
            part = sending.buffer(part_size(total, self._limits.part, size))
            part.fill(source)
        return total

    def _publish(self, publish: Callable[[], None]) -> None:
        """Call ``publish``; a failure counts only if the object is not there after it."""
        try:
            publish()
        except self._failures.types as error:
            if self._is_there():
                return
            if self._failures.of(error).is_taken:
                raise errors.Duplicate(location=self._location) from error
            raise self._failures.of_write(error) from error

    def _is_there(self) -> bool:
        try:
            reply = self._bucket.head(self._key)
        except self._failures.types:
            return False
        return reply is not None and is_of_write(reply, self._mark)

    def _refuse_duplicate(self) -> None:
        if self._bucket.head(self._key) is not None:
            raise errors.Duplicate(location=self._location)

    def _check_size(self, size: int) -> None:
        """Remove the object of this write if the service has not kept all of it."""
        reply = self._call(lambda: self._bucket.head(self._key))
        if reply is not None and is_of_write(reply, self._mark) and reply["ContentLength"] != size:
            self._call(lambda: self._bucket.delete(self._key))
            raise errors.RemoteServiceUnavailable(reason="the S3 service has not stored all parts")

    def _abort(self, upload: str, failure: BaseException) -> None:
        """Remove the parts of a write that failed; where that fails ``Driver.discard`` does it later."""
        try:
            self._bucket.abort(self._key, upload)
        except self._failures.types as error:
            errors.mark_leftovers(failure)
            reason = self._failures.of(error).reason
            LOG.warning("parts of %s are left in the bucket until they are discarded: %s", self._location, reason)

    def _in_bucket(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns; if there is no bucket, create it where that is wanted, and call again."""
        try:
            return call()
        except self._failures.types as error:
            if not self._creates_bucket or not self._failures.of(error).is_missing_bucket:
                raise
            self._bucket.create()
            return call()

    def _call(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns, and translate its failure."""
        try:
            return call()
        except self._failures.types as error:
            raise self._failures.of_write(error) from error
