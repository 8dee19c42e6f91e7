"""Sends data to an image so that a broken upload goes on where it was, also in another run of the command.

A service that does not have such uploads gets the data at once.
"""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence

from glance_mini.cmd.transfers.cloud import Body, Images
from glance_mini.domain.errors import Unavailable
from glance_mini_store.lanes import Chunk

_TRIES = 3
"""Attempts without a byte between them."""

_SETTLE_SECONDS = 120
"""How long the service may take to see that an upload has ended."""


class Source:
    """``size`` bytes, which ``read`` yields from an offset; ``marks`` tell them from others.

    ``report`` is called with the bytes that are there and with ``size``; ``sent`` counts those that this run has sent.
    """

    def __init__(
        self,
        size: int,
        read: Callable[[int], Iterator[Chunk]],
        marks: Sequence[object],
        report: Callable[[int, int], None],
    ) -> None:
        self.size = size
        self.sent = 0
        self._read = read
        self._marks = marks
        self._report = report

    @property
    def metadata(self) -> str:
        """Return what tells these bytes from others, in the form of ``Upload-Metadata``."""
        digest = hashlib.sha256("\0".join(map(str, (self.size, *self._marks))).encode()).digest()
        return f"source {b64encode(digest).decode()}"

    def rest(self, offset: int) -> "Rest":
        """Return the bytes from ``offset``."""
        return Rest(self, offset)

    def chunks(self, offset: int) -> Iterator[bytes]:
        """Yield the bytes from ``offset``."""
        for chunk in self._read(offset):
            yield bytes(chunk)
            offset += len(chunk)
            self.sent += len(chunk)
            self._report(offset, self.size)


class Rest:
    """The bytes of a source from an offset, as the body of a request."""

    def __init__(self, source: Source, offset: int) -> None:
        self._source = source
        self._offset = offset

    def __len__(self) -> int:
        return self._source.size - self._offset

    def __iter__(self) -> Iterator[bytes]:
        return self._source.chunks(self._offset)


def send(images: Images, image_id: str, source: Source) -> None:
    """Send the data; raises Unavailable with the way to go on, Invalid, NotFound."""
    path = images.open_upload(image_id, source.size, source.metadata)
    if path is None:
        _send_at_once(images, image_id, source.rest(0))
        return
    known, tries = -1, 0
    while tries < _TRIES:
        offset = images.received(path)
        tries = 0 if offset > known else tries + 1
        known = offset
        if images.extend(path, offset, source.rest(offset)) or _settled(images, image_id) == "active":
            return
        time.sleep(tries)
    raise Unavailable(reason=f"The upload broke off; push again with --image {image_id}, and it goes on.")


def _send_at_once(images: Images, image_id: str, body: Body) -> None:
    for _ in range(_TRIES):
        if images.upload(image_id, body) or _settled(images, image_id) == "active":
            return
    raise Unavailable(reason=f"The upload broke off {_TRIES} times; push again with --image {image_id}.")


def _settled(images: Images, image_id: str) -> object:
    """Return the status of an image once the service knows that its upload has ended."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (status := images.show(image_id)["status"]) == "saving" and time.monotonic() < deadline:
        time.sleep(1)
    return status
