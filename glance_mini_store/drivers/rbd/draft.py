"""Writes one image, with several requests in flight, until its protected snapshot publishes it.

An image carries its name as metadata of its own from before its first byte, so that nothing else is ever discarded; the
value tells it from a clone, which inherits the metadata.
"""

import errno
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.file.partial import data_runs
from glance_mini_store.drivers.rbd.answers import answer
from glance_mini_store.drivers.rbd.library import Image, Library, Pool
from glance_mini_store.drivers.rbd.outcome import Outcome
from glance_mini_store.drivers.rbd.requests import Requests
from glance_mini_store.lanes import Chunk

SNAPSHOT = "snap"
"""The snapshot that publishes an image. Source: api-uris-rbd."""

MARK = "glance_mini.image"
"""The key of the metadata that holds the name under which this driver wrote an image."""

MIB = 1024 * 1024

REQUEST = MIB
"""Bytes of the largest request. The first one of each transfer is not borrowed."""

IN_FLIGHT = 8 * MIB
"""Bytes of a write that are copied and not yet written, as far as the budget lends them."""

_REQUESTS = 64
"""Requests that wait or are in flight at most; those around holes are small."""

_AT_ONCE = 8
"""Requests in flight at most."""

_GRAIN = bytes(64 * 1024)
"""The smallest block of zeros that is left out."""

_LAYERING = 1
"""The feature that lets an image be cloned."""

_FIRST_SIZE = 64 * MIB
_LARGEST_STEP = 8 * 1024 * MIB


@dataclass(frozen=True)
class Form:
    """How new images are made: 2 to the power of ``order`` bytes in an object, the pool of the data, holes or none."""

    order: int
    data_pool: str | None
    thin: bool


class _Request:
    """A write in flight."""

    def __init__(self, length: int, written: Outcome[int]) -> None:
        self.length = length
        self.written = written


class Draft:
    """An image in the making: ``create``, ``open``, ``append``, ``publish``; ``close`` if one raises."""

    def __init__(
        self, library: Library, pool: Pool, location: str, name: str, form: Form, seconds: float, budget: Buffers
    ) -> None:
        """Wait for a request up to ``seconds``; the time-outs of Ceph end nearly all before that."""
        self.received = 0
        self._library = library
        self._pool = pool
        self._location = location
        self._name = name
        self._form = form
        self._size = 0
        self._image: Image | None = None
        self._seconds = seconds
        self._budget = budget
        self._requests: deque[_Request] = deque()
        self._calls = Requests[int](_AT_ONCE)
        self._in_flight = 0

    def create(self) -> None:
        """Create an empty image; an error of Ceph if the name is taken."""
        form = self._form
        self._library.images.create(self._pool, self._name, 0, form.order, data_pool=form.data_pool)

    def open(self, size: int) -> None:
        """Open the image, say whose it is, and make it ``size`` bytes long."""
        image = self._image = self._library.open_image(self._pool, self._name)
        image.metadata_set(MARK, self._name)
        if not image.features() & _LAYERING:
            reason = "rbd_default_features lacks layering, so images cannot be cloned"
            raise errors.BadStoreConfiguration(option="rbd_store_ceph_conf", reason=reason)
        self._resize(size)

    def append(self, chunk: Chunk) -> None:
        """Begin to write a chunk after the earlier ones; its memory may be used again when this returns."""
        view = memoryview(chunk)
        end = self.received + len(view)
        if end > self._size:
            self._resize(max(end, _FIRST_SIZE, self._size + min(self._size, _LARGEST_STEP)))
        for start, stop in self._runs(view):
            for first in range(start, stop, REQUEST):
                self._begin(bytes(view[first : min(first + REQUEST, stop)]), self.received + first)
        self.received = end

    def publish(self) -> None:
        """Give the image its size, and its snapshot when all is durable; close it."""
        while self._requests:
            self._wait_for_one()
        self._opened.flush()
        self._resize(self.received)
        self._opened.create_snap(SNAPSHOT)
        self._opened.protect_snap(SNAPSHOT)
        self._opened.close()

    def close(self) -> None:
        """Wait for what is in flight, and close the image; further calls do nothing."""
        for request in self._requests:
            request.written.wait()
        self._requests.clear()
        if self._image is not None:
            self._image.close()

    @property
    def _opened(self) -> Image:
        assert self._image is not None, "call open first"
        return self._image

    def _resize(self, size: int) -> None:
        if size != self._size:
            self._opened.resize(size)
            self._size = size

    def _runs(self, view: memoryview) -> Sequence[tuple[int, int]]:
        return list(data_runs(view, self.received, _GRAIN)) if self._form.thin else [(0, len(view))]

    def _begin(self, data: bytes, position: int) -> None:
        while self._requests and (self._in_flight + len(data) > IN_FLIGHT or len(self._requests) >= _REQUESTS):
            self._wait_for_one()
        lender = None
        while self._requests and lender is None:
            if self._budget.borrow(len(data)):
                lender = self._budget
            else:
                self._wait_for_one()
        written = self._calls.begin(partial(_write, self._opened, data, position, lender))
        self._requests.append(_Request(len(data), written))
        self._in_flight += len(data)

    def _wait_for_one(self) -> None:
        request = self._requests[0]
        if not request.written.wait(self._seconds):
            raise answer(errno.ETIMEDOUT, self._location, writing=True)
        self._requests.popleft()
        self._in_flight -= request.length
        request.written.take()


def _write(image: Image, data: bytes, position: int, lender: Buffers | None) -> int:
    try:
        return image.write(data, position)
    finally:
        if lender is not None:
            lender.give_back(len(data))


def is_written_here(image: Image, name: str) -> bool:
    """Return whether this driver wrote the open image, or it holds nothing, as one whose writer was killed at once."""
    try:
        return image.metadata_get(MARK) == name
    except KeyError:
        return image.size() == 0 and not list(image.list_snaps())
