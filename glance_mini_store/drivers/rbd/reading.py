"""Reads a published image with several requests in flight, and notices when it is deleted meanwhile."""

import threading
from collections import deque
from collections.abc import Generator, Iterator

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.rbd.answers import answer, translated
from glance_mini_store.drivers.rbd.draft import MIB, REQUEST
from glance_mini_store.drivers.rbd.library import Completion, Image, Library, Pool

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
    """A block that was asked for; ``data`` comes with its end.

    It does not hold the completion, which holds the block: a circle would keep both until Python looks for circles.
    """

    def __init__(self, image: Image, offset: int, length: int, *, is_borrowed: bool) -> None:
        self.length = length
        self.is_borrowed = is_borrowed
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
        self._parts: Generator[_Part, None, None] = self._divide(offset, end)
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
                block.wait()
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
        self._blocks.append(_Request(self._image, offset, length, is_borrowed=is_borrowed))
        self._asked += 1
        return True

    def _receive(self, request: _Request) -> bytes:
        result = request.wait()
        self._forget(request)
        if result < 0:
            raise answer(-result, self._location, writing=False)
        if request.data is None or len(request.data) != request.length:
            raise errors.RemoteServiceUnavailable(reason="Ceph returned less data than the image has")
        self._require_identity()
        return request.data

    def _forget(self, request: _Request) -> None:
        self._asked -= 1
        if request.is_borrowed:
            self._budget.give_back(request.length)

    def _divide(self, offset: int, end: int) -> Generator[_Part, None, None]:
        for start in range(offset, end, _WINDOW):
            stop = min(start + _WINDOW, end)
            written = self._written(start, stop)
            self._require_identity()
            position = start
            for first, last in [*written, (stop, stop)]:
                yield from _cut(position, first, has_data=False)
                yield from _cut(first, last, has_data=True)
                position = last

    def _written(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts from ``start`` to ``stop`` that may have data, in order; an object is there or not."""
        found: list[tuple[int, int]] = []

        def take(offset: int, length: int, is_there: bool) -> None:
            if is_there:
                found.append((offset, offset + length))

        self._image.diff_iterate(start, stop - start, None, take, whole_object=True)
        return sorted(found)

    def _require_identity(self) -> None:
        if not self._identity.holds():
            raise errors.NotFound(location=self._location)


def _cut(start: int, stop: int, *, has_data: bool) -> Iterator[_Part]:
    for offset in range(start, stop, REQUEST):
        yield offset, min(REQUEST, stop - offset), has_data
