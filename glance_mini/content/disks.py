"""Reads the disks of images from their stores: incremental ones with their bases, and others as a chain of one.

``qcow2`` knows the format; this module brings it the bytes, and goes on where data was replaced by the same disk.
"""

import logging
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import BinaryIO, Literal, Protocol, cast

from glance_mini.content.ahead import ReadAhead
from glance_mini.content.failover import FailoverChunks, store_of
from glance_mini.content.qcow2.complete import CompleteDisk, RawDisk
from glance_mini.content.qcow2.errors import StaleIndex, Unsupported
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.source import USUAL_READ
from glance_mini.domain.bases import DISK_KEY
from glance_mini.domain.errors import Conflict, UnsafeContent
from glance_mini.domain.image import Image, Location
from glance_mini.metrics import Metrics
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import COPY, Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.lanes import Chunk
from glance_mini_store.stores import Stores
from glance_mini_store.streams import FILE_BLOCK, FilePart, close

LOG = logging.getLogger(__name__)

DISK_FORMATS = ("qcow2", "raw")
"""The formats of disks that are read here."""

_ENDS = (store_errors.FetchCancelled, store_errors.BuffersExhausted)
_RELOADS = 3


class UnreadableDisk(store_errors.RemoteServiceUnavailable):
    """A file of a chain is missing or damaged; repeating the request does not help."""

    code = "store.unreadable_disk"
    template = "{reason}"


class StoredFile:
    """``size`` bytes in the first of ``locations`` that can be read; a source of ``qcow2``."""

    def __init__(
        self, stores: Stores, locations: Sequence[Location], size: int, metrics: Metrics, caller: Caller | None
    ) -> None:
        self.size = size
        self._stores = stores
        self._locations = locations
        self._metrics = metrics
        self._caller = caller

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; raises StoreError."""
        if self._descriptor is not None:
            return _read_file(self._descriptor, offset, length)
        chunks = self._open(offset, length)
        try:
            return _read_file(chunks.file.fileno(), offset, length) if chunks.file is not None else b"".join(chunks)
        finally:
            chunks.close()

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``offset`` as the store gives them; raises StoreError."""
        chunks = self._open(offset, length)
        try:
            yield from chunks
        finally:
            chunks.close()

    @cached_property
    def _is_local(self) -> bool:
        try:
            location = self._locations[0]
            store = store_of(self._stores, location, self._caller)
            return location.version is None and store.local_path(location.url) is not None
        except store_errors.StoreError:
            return False

    @cached_property
    def _descriptor(self) -> int | None:
        """The first location, opened, if it is a local file that can be read; open as long as this object lives.

        To open it for each read costs more than to read it.
        """
        try:
            file = self.local()
        except store_errors.StoreError:
            return None
        if file is None:
            return None
        with file:
            descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    @property
    def usual_read(self) -> int:
        """The bytes that are best read at once."""
        return FILE_BLOCK if self._is_local else USUAL_READ

    def local(self) -> BinaryIO | None:
        """Return the file, opened, if the first location is a local file; raises StoreError."""
        if not self._is_local:
            return None
        location = self._locations[0]
        chunks = store_of(self._stores, location, self._caller).read(location.url)
        file: BinaryIO | None = getattr(chunks, "file", None)
        if file is None:
            close(chunks)
        return file

    def _open(self, offset: int, length: int) -> FailoverChunks:
        chunks = FailoverChunks(self._stores, self._locations, offset, length, True, self._metrics, None, self._caller)
        chunks.open()
        return chunks


def _read_file(descriptor: int, offset: int, length: int) -> bytes:
    """Return bytes of an open local file, by one read if possible; raises SizeMismatch, RemoteServiceUnavailable."""
    try:
        data = os.pread(descriptor, length, offset)
        while len(data) < length:
            more = os.pread(descriptor, length - len(data), offset + len(data))
            if not more:
                raise store_errors.SizeMismatch(expected=length, received=len(data))
            data += more
    except OSError as error:
        raise store_errors.RemoteServiceUnavailable(reason=f"reading a file failed: {error.strerror}") from error
    return data


class Disk(Protocol):
    """A file that is made while it is read. It may have ``parts``, as CompleteDisk has."""

    @property
    def size(self) -> int:
        """The bytes of the file."""

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """Yield the bytes from ``offset``."""


@dataclass(frozen=True)
class Disks:
    """Opens the disks of images; ``caller`` is for whom the stores are read, None: for the service."""

    stores: Stores
    metrics: Metrics
    caller: Caller | None = None

    def chain(self, images: Sequence[Image]) -> Chain:
        """Return the chain of an image and its bases; raises Conflict if one of them is not a disk that is read here.

        Nothing is read yet.
        """
        return Chain([self.level(image) for image in images])

    def level(self, image: Image) -> Level:
        """Return the file of one image; raises Conflict."""
        if image.disk_format not in DISK_FORMATS or image.container_format != "bare":
            raise Conflict(reason=f"Image {image.id} is not a disk of the format {' or '.join(DISK_FORMATS)}.")
        if not image.locations or image.size is None:
            raise Conflict(reason=f"Image {image.id} has no data.")
        delta = image.locations[0].delta
        size = image.size if delta is None else delta.size
        return self.level_at(self.stores.order(image.locations), size, image.disk_format)

    def level_at(self, locations: Sequence[Location], size: int, disk_format: str) -> Level:
        """Return a file of ``size`` bytes in one of several places."""
        source = StoredFile(self.stores, locations, size, self.metrics, self.caller)
        return Level(source, cast(Literal["qcow2", "raw"], disk_format))

    def plain(self, image: Image) -> Disk:
        """Return the data of an image as it is stored."""
        return _Plain(self, image)

    def complete(self, images: Sequence[Image], index: bytes) -> Disk:
        """Return the complete disk of a chain, its data where it is whole; an unusable index is ignored."""
        if images[0].base is None:
            return self.plain(images[0])
        chain = self.chain(images)
        try:
            return CompleteDisk(chain, index or None)
        except StaleIndex as error:
            LOG.warning("The index of image %s is not used: %s", images[0].id, error)
            return CompleteDisk(chain)

    def raw(self, images: Sequence[Image]) -> Disk:
        """Return the guest's bytes of a chain; raises Conflict."""
        return RawDisk(self.chain(images))


@dataclass(frozen=True)
class _Plain:
    disks: Disks
    image: Image

    @property
    def size(self) -> int:
        return self.image.size or 0

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        disks, left = self.disks, self.size - offset if length is None else length
        locations = disks.stores.order(self.image.locations)
        chunks = FailoverChunks(
            disks.stores, locations, offset, left, (offset, left) != (0, self.size), disks.metrics, None, disks.caller
        )
        chunks.open()
        try:
            yield from chunks
        finally:
            chunks.close()


@dataclass(frozen=True)
class OpenedDisk:
    """A disk that can be read now; ``files`` differ if it is made of other files, ``content`` if it has other bytes."""

    disk: Disk
    files: object
    content: object


class DiskChunks(Iterator[bytes]):
    """``length`` bytes from ``offset`` of a disk that ``load`` opens; a share of ``buffers`` until ``close``.

    A thread reads the next piece while the last one is being sent. If a file of the chain is gone, because the same
    disk is stored otherwise by now, the disk is loaded again.
    """

    file: BinaryIO | None = None

    def __init__(
        self, load: Callable[[], OpenedDisk], offset: int, length: int, buffers: Buffers | None = None
    ) -> None:
        self.offset = offset
        self.length = length
        self._load = load
        self._share = ExitStack()
        self._buffers = buffers
        self._opened: OpenedDisk | None = None
        self._source: Iterator[Chunk] | None = None
        self._first: bytes | None = None
        self._rest = ReadAhead(self._read, self._end)
        self._parts: Iterator[Chunk | FilePart] | None = None
        self._opened_parts: Iterator[Chunk | FilePart] | None = None
        self._done = 0
        self._reloads = 0

    def open(self) -> None:
        """Open the disk and read the first piece, so that an error is noticed before the response begins.

        Raises StoreError, Conflict.
        """
        try:
            if self._buffers is not None:
                self._share.enter_context(self._buffers.share(COPY))
            self._first = self._read() if self.length else None
        except BaseException:
            self._end()
            raise

    def __next__(self) -> bytes:
        piece, self._first = self._first, None
        return next(self._rest) if piece is None else piece

    @property
    def parts(self) -> Iterator[Chunk | FilePart] | None:
        """All bytes, long pieces as parts of local files, instead of the iteration; None: there are no such files.

        The files stay open until ``close``, so data that is replaced meanwhile does no harm.
        """
        if self._parts is None and self._first is not None and self._opened is not None:
            make, done = getattr(self._opened.disk, "parts", None), len(self._first)
            if make is None:
                return None
            try:
                rest = make(self.offset + done, self.length - done)
            except (store_errors.StoreError, UnsafeContent) as error:
                LOG.info("A disk is read in blocks: %s", error)
                return None
            self._parts = None if rest is None else chain([self._first], rest)
            self._opened_parts = rest
        return self._parts

    def close(self) -> None:
        """End the reading, and give the memory back when nothing is being read any more; may be repeated."""
        close(self._opened_parts)
        self._rest.close()

    def _end(self) -> None:
        close(self._source)
        self._source = None
        self._share.close()

    def _read(self) -> bytes | None:
        """Return the next piece, None at the end."""
        while self._done < self.length:
            try:
                if self._source is None:
                    self._open()
                assert self._source is not None
                piece = next(self._source, None)
                if piece is None:
                    raise store_errors.SizeMismatch(expected=self.length, received=self._done)
                self._done += len(piece)
                return _as_bytes(piece)
            except _ENDS:
                raise
            except (store_errors.StoreError, UnsafeContent) as error:
                if not self._is_replaced():
                    raise _as_store_error(error) from error
        return None

    def _open(self) -> None:
        self._opened = self._opened or self._load()
        self._source = self._opened.disk.read(self.offset + self._done, self.length - self._done)

    def _is_replaced(self) -> bool:
        """Return whether the disk is stored in other files by now; then the next piece comes from them."""
        close(self._source)
        self._source = None
        self._reloads += 1
        before, self._opened = self._opened, None
        if before is None or self._reloads > _RELOADS:
            return False
        self._opened = self._load()
        return self._opened.files != before.files and self._opened.content == before.content


def _as_bytes(piece: Chunk) -> bytes:
    """Return ``piece`` without a copy if it is all of some bytes."""
    whole = piece.obj if isinstance(piece, memoryview) else piece
    return whole if isinstance(whole, bytes) and len(whole) == len(piece) else bytes(piece)


@dataclass(frozen=True)
class DiskSource:
    """Reads a disk that is made of several files, for whoever reads images from their locations otherwise."""

    stores: Stores
    load: Callable[[], OpenedDisk]
    locations: Sequence[Location] = ()

    def open(self, offset: int, length: int, is_part: bool, buffers: Buffers | None = None) -> DiskChunks:
        """Return ``length`` bytes from ``offset``, opened; raises what ``DiskChunks.open`` raises."""
        chunks = DiskChunks(self.load, offset, length, buffers)
        chunks.open()
        return chunks


def files_of(images: Sequence[Image]) -> object:
    """Return a value that differs if the files of a chain are other ones."""
    return [[location.url for location in image.locations] for image in images]


def complete_disk(disks: Disks, images: Sequence[Image], index: bytes) -> OpenedDisk:
    """Return the complete disk of an image and its bases. Raises Conflict, StoreError."""
    image = images[0]
    try:
        disk = disks.complete(images, index)
        if disk.size != image.size:
            raise UnreadableDisk(reason=f"image {image.id} has {image.size} bytes and its chain makes {disk.size}")
    except UnsafeContent as error:
        raise _as_store_error(error) from error
    ids = [location.metadata.get(DISK_KEY) for location in image.locations[:1]]
    return OpenedDisk(disk, files_of(images), (image.disk_format, image.size, ids))


def raw_disk(disks: Disks, images: Sequence[Image]) -> OpenedDisk:
    """Return what a guest would read of the disk of an image. Raises Conflict if it is not read here, StoreError."""
    try:
        disk = disks.raw(images)
        return OpenedDisk(disk, files_of(images), disk.size)
    except Unsupported as error:
        raise Conflict(reason=f"The disk of image {images[0].id} cannot be read: {error}") from error
    except UnsafeContent as error:
        raise _as_store_error(error) from error


def _as_store_error(error: Exception) -> Exception:
    if isinstance(error, store_errors.StoreError) and not isinstance(error, store_errors.NotFound):
        return error
    return unreadable(error)


def unreadable(error: Exception) -> UnreadableDisk:
    """Return the error of a store for a file of a chain that is missing or damaged."""
    LOG.error("An incremental image cannot be read: %s", error)
    return UnreadableDisk(reason=f"the data of the image, or of an image that it is based on, is unusable: {error}")
