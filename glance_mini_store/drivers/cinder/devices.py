"""The data of a volume that is connected to this host: through librbd, or through a path that os-brick gives."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from glance_mini_store import errors
from glance_mini_store.drivers.cinder.library import Image, Libraries
from glance_mini_store.drivers.rbd.answers import number_of


class Device(Protocol):
    """An open volume; reads may be made by several threads. Its methods raise StoreError."""

    def write(self, data: bytes, offset: int) -> None:
        """Write all of ``data``."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes; the volume must have them."""

    def flush(self) -> None:
        """Return when all that was written is durable."""

    def size(self) -> int:
        """Return the size in bytes."""

    def close(self) -> None:
        """Close it; further calls do nothing."""


class RbdDevice:
    """An image of Ceph that os-brick has opened by librbd."""

    def __init__(self, libraries: Libraries, image: Image) -> None:
        self._libraries = libraries
        self._image = image
        # Until the first flush Ceph's cache does not let several writes be in flight.
        self.flush()

    def write(self, data: bytes, offset: int) -> None:
        """Write into the cache of librbd, which waits when it is full."""
        with translated(self._libraries):
            self._image.write(data, offset)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes."""
        with translated(self._libraries):
            return _whole(self._image.read(offset, length), length)

    def flush(self) -> None:
        """Flush the cache; raises the error of any write."""
        with translated(self._libraries):
            self._image.flush()

    def size(self) -> int:
        """Return the size that this client of Ceph has heard of."""
        with translated(self._libraries):
            return self._image.size()

    def close(self) -> None:
        """Do nothing: os-brick closes what it has opened."""


class PathDevice:
    """A block device, or a file of a mounted share, at ``path``."""

    def __init__(self, libraries: Libraries, path: str, *, writing: bool) -> None:
        self._libraries = libraries
        with translated(libraries):
            self._descriptor = os.open(path, (os.O_RDWR if writing else os.O_RDONLY) | os.O_CLOEXEC)

    def write(self, data: bytes, offset: int) -> None:
        """Write."""
        view = memoryview(data)
        with translated(self._libraries):
            while view:
                done = os.pwrite(self._descriptor, view, offset)
                view, offset = view[done:], offset + done

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes."""
        pieces: list[bytes] = []
        left = length
        with translated(self._libraries):
            while left and (piece := os.pread(self._descriptor, left, offset)):
                pieces.append(piece)
                left, offset = left - len(piece), offset + len(piece)
        return _whole(b"".join(pieces), length)

    def flush(self) -> None:
        """Sync."""
        with translated(self._libraries):
            os.fsync(self._descriptor)

    def size(self) -> int:
        """Return where the end is, for a block device too."""
        with translated(self._libraries):
            return os.lseek(self._descriptor, 0, os.SEEK_END)

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def translated(libraries: Libraries, clean: Callable[[str], str] = str) -> Iterator[None]:
    """Translate what os-brick, librbd and the system raise. Raises StorageFull, RemoteServiceUnavailable."""
    try:
        yield
    except libraries.connecting as error:
        number = number_of(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise errors.StorageFull(reason=os.strerror(number)) from error
        has_number = isinstance(getattr(error, "errno", None), int)
        said = os.strerror(number) if has_number else clean(str(error).partition("\n")[0])
        reason = f"the volume cannot be used on this host: {said}"
        raise errors.RemoteServiceUnavailable(reason=reason) from error


def _whole(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise errors.RemoteServiceUnavailable(reason="the volume returned less data than it has")
    return data
