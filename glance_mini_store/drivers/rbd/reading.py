"""Reads a published image with several requests in flight, and notices when it is deleted meanwhile."""

from collections import deque
from collections.abc import Generator, Iterator
from functools import partial

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.rbd.answers import translated
from glance_mini_store.drivers.rbd.draft import MIB, REQUEST
from glance_mini_store.drivers.rbd.library import Image, Library, Pool
from glance_mini_store.drivers.rbd.outcome import Outcome
from glance_mini_store.drivers.rbd.requests import Requests

IN_FLIGHT = 4
"""Blocks that are asked for at once, as far as the budget lends their memory."""

_AHEAD = 64
"""Blocks of which it is known at once that they hold no data."""

_WINDOW = 1024 * MIB
"""Bytes of an image that are looked through for data at once."""

_ZEROS = bytes(REQUEST)

_Part = tuple[int, int, bool]
"""Offset and length of a block, and whether it may have data."""


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
    """A block that was asked for."""

    def __init__(self, length: int, data: Outcome[bytes], *, is_borrowed: bool) -> None:
        self.length = length
        self.data = data
        self.is_borrowed = is_borrowed


class _Hole:
    """A block that was never written."""

    def __init__(self, length: int) -> None:
        self.length = length


class Blocks(Iterator[bytes]):
    """The bytes from ``offset`` to ``end`` of an open image, which it closes at the end.

    Objects that were never written are not asked for: one look at the object map tells which of a window are there.
    """

    def __init__(
        self,
        library: Library,
        image: Image,
        identity: Identity,
        location: str,
        offset: int,
        end: int,
        budget: Buffers,
    ) -> None:
        self._library = library
        self._image = image
        self._identity = identity
        self._location = location
        self._budget = budget
        self._requests = Requests[bytes](IN_FLIGHT)
        self._parts = _divide(image, identity, location, offset, end)
        self._next: _Part | None = None
        self._is_begun = False
        self._blocks: deque[_Request | _Hole] = deque()
        self._asked = 0

    def __next__(self) -> bytes:
        try:
            with translated(self._library, self._location, writing=False):
                self._ask()
                if not self._blocks:
                    raise StopIteration
                block = self._blocks.popleft()
                return _ZEROS[: block.length] if isinstance(block, _Hole) else self._receive(block)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Wait for what is in flight and close the image; further calls do nothing."""
        self._parts.close()
        self._next = None
        for block in self._blocks:
            if isinstance(block, _Request):
                block.data.wait()
                self._forget(block)
        self._blocks.clear()
        self._image.close()

    def _ask(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            self._next = next(self._parts, None)
        while self._next is not None and len(self._blocks) < _AHEAD:
            offset, length, has_data = self._next
            if not has_data:
                self._blocks.append(_Hole(length))
            elif not self._begin(offset, length):
                return
            self._next = next(self._parts, None)

    def _begin(self, offset: int, length: int) -> bool:
        """Ask for a block; return whether there was room for it."""
        is_borrowed = False
        if self._asked:
            is_borrowed = self._asked < IN_FLIGHT and self._budget.borrow(length)
            if not is_borrowed:
                return False
        data = self._requests.begin(partial(self._image.read, offset, length))
        self._blocks.append(_Request(length, data, is_borrowed=is_borrowed))
        self._asked += 1
        return True

    def _receive(self, request: _Request) -> bytes:
        try:
            data = request.data.take()
        finally:
            self._forget(request)
        if len(data) != request.length:
            raise errors.RemoteServiceUnavailable(reason="Ceph returned less data than the image has")
        _require(self._identity, self._location)
        return data

    def _forget(self, request: _Request) -> None:
        self._asked -= 1
        if request.is_borrowed:
            self._budget.give_back(request.length)


def _divide(image: Image, identity: Identity, location: str, offset: int, end: int) -> Generator[_Part, None, None]:
    """Yield the parts from ``offset`` to ``end``.

    It is no method of ``Blocks``, so that one that nobody uses any more is freed, and its image closed, at once.
    """
    for start in range(offset, end, _WINDOW):
        stop = min(start + _WINDOW, end)
        written = _written(image, start, stop)
        _require(identity, location)
        position = start
        for first, last in [*written, (stop, stop)]:
            yield from _cut(position, first, has_data=False)
            yield from _cut(first, last, has_data=True)
            position = last


def _written(image: Image, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the parts from ``start`` to ``stop`` that may have data, in order; an object is there or not."""
    found: list[tuple[int, int]] = []

    def take(offset: int, length: int, is_there: bool) -> None:
        if is_there:
            found.append((offset, offset + length))

    image.diff_iterate(start, stop - start, None, take, whole_object=True)
    return sorted(found)


def _require(identity: Identity, location: str) -> None:
    if not identity.holds():
        raise errors.NotFound(location=location)


def _cut(start: int, stop: int, *, has_data: bool) -> Iterator[_Part]:
    for offset in range(start, stop, REQUEST):
        yield offset, min(REQUEST, stop - offset), has_data
