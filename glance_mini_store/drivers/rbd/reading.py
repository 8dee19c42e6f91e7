"""Reads a published image with several requests in flight, and notices when it is deleted meanwhile."""

import threading
from collections import deque
from collections.abc import Iterator

from glance_mini_store import errors
from glance_mini_store.drivers.rbd.answers import answer, translated
from glance_mini_store.drivers.rbd.library import Completion, Image, Library, Pool

REQUEST = 1024 * 1024
"""Bytes of a block."""

IN_FLIGHT = 4
"""Blocks that are asked for at once."""


class Identity:
    """Tells whether a name still stands for the image that it stood for when this was made.

    Ceph fills what was removed with zeros. Deletion takes the name away before it touches data, so data is right if the
    name still holds after it was read. Source: ``rbd_id.NAME`` holds the id of an image, see "RBD layout" of Ceph.
    """

    def __init__(self, pool: Pool, name: str) -> None:
        self._pool = pool
        self._key = f"rbd_id.{name}"
        self._id = self._read()

    def holds(self) -> bool:
        """Return whether it does; an error of Ceph if the name is gone."""
        return self._read() == self._id

    def _read(self) -> bytes:
        return self._pool.read(self._key, 1024)


class _Request:
    """A block that was asked for; ``data`` comes with its end.

    It does not hold the completion, which holds the block: a circle would keep both until Python looks for circles.
    """

    def __init__(self, image: Image, offset: int, length: int) -> None:
        self.length = length
        self.data: bytes | None = None
        self._result = 0
        self._ended = threading.Event()
        image.aio_read(offset, length, self._take)

    def _take(self, completion: Completion, data: bytes | None) -> None:
        self.data = data
        self._result = completion.get_return_value()
        self._ended.set()

    def wait(self) -> int:
        """Return the result, negative for an errno."""
        self._ended.wait()
        return self._result


class Blocks(Iterator[bytes]):
    """The bytes from ``offset`` to ``end`` of an open image, which it closes at the end."""

    def __init__(
        self, library: Library, image: Image, identity: Identity, location: str, offset: int, end: int
    ) -> None:
        self._library = library
        self._image = image
        self._identity = identity
        self._location = location
        self._next = offset
        self._end = end
        self._requests: deque[_Request] = deque()

    def __next__(self) -> bytes:
        try:
            with translated(self._library, self._location, writing=False):
                self._ask()
                if not self._requests:
                    raise StopIteration
                return self._receive(self._requests.popleft())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Wait for what is in flight and close the image; further calls do nothing."""
        self._next = self._end
        for request in self._requests:
            request.wait()
        self._requests.clear()
        self._image.close()

    def _ask(self) -> None:
        while self._next < self._end and len(self._requests) < IN_FLIGHT:
            length = min(REQUEST, self._end - self._next)
            self._requests.append(_Request(self._image, self._next, length))
            self._next += length

    def _receive(self, request: _Request) -> bytes:
        result = request.wait()
        if result < 0:
            raise answer(-result, self._location, writing=False)
        if request.data is None or len(request.data) != request.length:
            raise errors.RemoteServiceUnavailable(reason="Ceph returned less data than the image has")
        if not self._identity.holds():
            raise errors.NotFound(location=self._location)
        return request.data
