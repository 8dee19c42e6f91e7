"""Writes one image: keeps its name, sends the data, and publishes it in one step.

``If-None-Match: *`` alone does not keep two writes apart that begin at the same time: Swift compares when a request
begins, and the later one of two wins. So a write first claims its name by an empty object, and looks whose claim it is
before it publishes: only the write that holds it does.

Up to a limit, data of known size is one object, whose last bytes are sent after that look. Other data is sent in
segments, which no location can name, and the manifest comes last.
"""

import json
import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from glance_mini_store import errors
from glance_mini_store.drivers.swift.answers import refuse_write
from glance_mini_store.drivers.swift.client import Body, Request, SizedBody
from glance_mini_store.drivers.swift.objects import MARK, Place
from glance_mini_store.drivers.swift.segments import SegmentSizes
from glance_mini_store.drivers.swift.source import Source
from glance_mini_store.lanes import Chunk

LOG = logging.getLogger(__name__)

_ONLY_NEW = {"If-None-Match": "*"}
_TYPE = {"Content-Type": "application/octet-stream"}


@dataclass
class Write:
    """One write to ``place``. Data of up to ``single`` bytes becomes one object."""

    place: Place
    sizes: SegmentSizes
    single: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def run(self, chunks: Iterable[Chunk], size: int | None) -> int:
        """Store the chunks and return their size in bytes; if it raises, nothing is left, but see ``Driver.discard``.

        The container exists. Raises what the chunks raise, and Duplicate, StorageFull, StorageWriteDenied,
        RemoteServiceUnavailable.
        """
        source = Source(chunks)
        sent: list[str] = []
        try:
            self._claim()
            if size is not None and size <= self.single:
                self._send_one(source, size)
            else:
                self._send_segments(source, size, sent)
        except BaseException as error:
            failure = _reason(error, source)
            self._clean_up(sent, failure)
            if failure is error:
                raise
            raise failure from (error if source.failure is None else None)
        self._forget_claim()
        return source.received

    def _claim(self) -> None:
        if self.place.head().is_success:
            raise errors.Duplicate(location=self.place.location)
        status = self._put(self.place.claim, {})
        if status == 412 and not self.place.is_marked(self.place.claim, self.id):
            raise errors.Duplicate(location=self.place.location)

    def _put(self, name: str, query: dict[str, str], body: bytes = b"") -> int:
        """Put a small new object and return the status, which is 2xx or 412."""
        headers = {**_ONLY_NEW, **_TYPE, MARK: self.id}
        request = Request("PUT", self.place.container, name, query, headers, body)
        answer = self.place.client.send(self.place.account, request)
        if answer.status != 412:
            refuse_write(answer, self.place.location)
        return answer.status

    def _publish(self, query: dict[str, str], body: bytes = b"") -> None:
        self._require_claim()
        status = self._put(self.place.name, query, body)
        if status == 412 and not self.place.is_marked(self.place.name, self.id):
            raise errors.Duplicate(location=self.place.location)

    def _require_claim(self) -> None:
        """Raise Duplicate unless this write holds the claim and there is no data yet.

        It also gets a new token before a request that could not be repeated with one.
        """
        if not self.place.is_marked(self.place.claim, self.id) or self.place.head().is_success:
            raise errors.Duplicate(location=self.place.location)

    def _send_one(self, source: Source, size: int) -> None:
        if not size:
            source.require_end(0)
            self._publish({})
            return
        headers = {**_ONLY_NEW, **_TYPE, MARK: self.id}
        request = Request("PUT", self.place.container, self.place.name, headers=headers)
        body = SizedBody(self._claimed_before_the_end(source.take_all(size), source, size), size)
        refuse_write(self.place.client.upload(self.place.account, request, body), self.place.location)

    def _claimed_before_the_end(
        self, pieces: Iterator[memoryview | bytes], source: Source, size: int
    ) -> Iterator[memoryview | bytes]:
        for piece in pieces:
            if source.received == size:
                self._require_claim()
            yield piece

    def _send_segments(self, source: Source, size: int | None, sent: list[str]) -> None:
        """Send all bytes in segments, whose names are added to ``sent``, and publish the manifest."""
        manifest: list[dict[str, object]] = []
        while not source.is_empty():
            if len(sent) == self.sizes.count:
                raise errors.StorageFull(reason=f"the data has more than {self.sizes.count} segments")
            self._require_claim()
            wanted = self.sizes.size(len(sent), size)
            sent.append(f"{self.place.name}/{self.id}/{len(sent):08d}")
            manifest.append(self._send_segment(source, sent[-1], wanted, size))
        if size is not None:
            source.require_end(size)
        if manifest:
            self._publish({"multipart-manifest": "put"}, json.dumps(manifest).encode())
        else:
            self._publish({})

    def _send_segment(self, source: Source, name: str, wanted: int, size: int | None) -> dict[str, object]:
        before = source.received
        pieces: Iterator[memoryview | bytes] = source.take(wanted)
        body = Body(pieces) if size is None else SizedBody(pieces, min(wanted, size - before))
        request = Request("PUT", self.place.container, name, headers=_TYPE)
        answer = self.place.client.upload(self.place.account, request, body)
        refuse_write(answer, self.place.location)
        length = source.received - before
        etag = answer.headers.get("etag", "").strip('"')
        return {"path": f"/{self.place.container}/{name}", "etag": etag, "size_bytes": length}

    def _clean_up(self, sent: list[str], failure: BaseException) -> None:
        """Remove what this write left; where that fails ``Driver.discard`` does it later."""
        try:
            if self.place.is_marked(self.place.name, self.id):
                self.place.remove(self.place.name)
            for name in sent:
                self.place.remove(name)
            if self.place.is_marked(self.place.claim, self.id):
                self.place.remove(self.place.claim)
        except errors.StoreError as error:
            errors.mark_leftovers(failure)
            LOG.warning("What a failed write left in Swift is not removed yet: %s", error)

    def _forget_claim(self) -> None:
        """Remove the claim; one that stays does no harm and goes with the data."""
        try:
            self.place.remove(self.place.claim)
        except errors.StoreError as error:
            LOG.info("The claim of a finished write stays in Swift: %s", error)


def _reason(error: BaseException, source: Source) -> BaseException:
    """Return what a failed write raises: the failure of its source, else that of Swift."""
    if source.failure is not None:
        return source.failure
    if isinstance(error, errors.Forbidden):
        return errors.StorageWriteDenied(reason="Swift refuses the token, or it has expired")
    return error
