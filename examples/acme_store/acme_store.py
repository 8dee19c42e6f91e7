"""A store that keeps data compressed: the driver ``acme``. README.md describes the format of its files."""

import contextlib
import os
import re
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Self

from oslo_config import cfg

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written

MAGIC = b"ACME"
VERSION = 1
HEADER = struct.Struct(">4sBQ")
BLOCK = 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,199}")


class AcmeDriver(Driver):
    """Keeps zlib streams under ``directory``."""

    type = "acme"
    schemes = ("acme",)
    capabilities = frozenset({capabilities.READ, capabilities.WRITE, capabilities.DELETE})
    options = (
        cfg.StrOpt("acme_directory", help="Directory of the compressed files; made at start if it is missing."),
        cfg.IntOpt("acme_level", default=1, min=0, max=9, help="Compression from 0 (none) to 9 (slow)."),
    )

    def __init__(self, directory: str, store_id: str = "default", level: int = 1) -> None:
        self._directory = directory
        self._incoming = os.path.join(directory, "incoming")
        self._prefix = f"acme://{store_id}/"
        self._level = level

    @classmethod
    def from_config(cls, settings: Any, store_id: str) -> Self:
        """Return a driver for the directory that the options name."""
        if not settings.acme_directory:
            raise errors.BadStoreConfiguration(option="acme_directory", reason="it must be set")
        return cls(settings.acme_directory, store_id, settings.acme_level)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the one prefix of this store."""
        return (self._prefix,)

    def check(self) -> None:
        """Make the directories."""
        try:
            os.makedirs(self._incoming, exist_ok=True)
        except OSError as error:
            raise errors.BadStoreConfiguration(option="acme_directory", reason=error.strerror) from error

    def properties(self) -> Mapping[str, object]:
        """Return the compression level."""
        return {"level": self._level}

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        """Compress the chunks into a file and link it to its place when it is complete."""
        target = self._target(name)
        draft = os.path.join(self._incoming, f"{name}.{secrets.token_hex(8)}")
        with _writing():
            os.makedirs(os.path.dirname(target), exist_ok=True)
            file = open(draft, "xb")  # noqa: SIM115
        try:
            with file:
                size = self._compress(file, chunks)
            with _writing():
                os.link(draft, target)
                _sync(os.path.dirname(target))
        except FileExistsError:
            raise errors.Duplicate(location=self._prefix + name) from None
        finally:
            _remove(draft)
        return Written(self._prefix + name, size)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return all data; without the capability ``range`` the library never asks for a part."""
        file = self._open(location)
        try:
            size = _data_size(file)
        except errors.StoreError:
            file.close()
            raise
        return _expand(file, size)

    def size(self, location: str) -> int:
        """Return the bytes before compression, from the header."""
        with self._open(location) as file:
            return _data_size(file)

    def delete(self, location: str) -> None:
        """Remove the file."""
        try:
            os.unlink(self._path(location))
        except FileNotFoundError:
            raise errors.NotFound(location=location) from None

    def discard(self, name: str) -> None:
        """Remove the file and every draft of it."""
        _remove(self._target(name))
        for entry in os.listdir(self._incoming):
            if entry.rpartition(".")[0] == name:
                _remove(os.path.join(self._incoming, entry))

    def _compress(self, file: BinaryIO, chunks: Iterable[bytes]) -> int:
        """Write header and stream, and return the number of bytes before compression."""
        packer = zlib.compressobj(self._level)
        size = 0
        with _writing():
            file.write(bytes(HEADER.size))
        for chunk in chunks:
            size += len(chunk)
            with _writing():
                file.write(packer.compress(chunk))
        with _writing():
            file.write(packer.flush())
            file.seek(0)
            file.write(HEADER.pack(MAGIC, VERSION, size))
            file.flush()
            os.fsync(file.fileno())
        return size

    def _open(self, location: str) -> BinaryIO:
        try:
            return open(self._path(location), "rb")
        except FileNotFoundError:
            raise errors.NotFound(location=location) from None

    def _path(self, location: str) -> str:
        name = location.removeprefix(self._prefix)
        if name == location or not NAME.fullmatch(name):
            raise errors.BadStoreUri(location=location, reason=f"it must be {self._prefix} and a name")
        return self._target(name)

    def _target(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise errors.Invalid(reason=f"{name!r} is not a file name")
        return os.path.join(self._directory, name[:2], name)


def _data_size(file: BinaryIO) -> int:
    """Return the size in the header, and leave the file at the first byte after it."""
    header = file.read(HEADER.size)
    if len(header) < HEADER.size or header[: len(MAGIC) + 1] != MAGIC + bytes([VERSION]):
        raise errors.RemoteServiceUnavailable(reason="the file has an unknown format")
    _, _, size = HEADER.unpack(header)
    return int(size)


def _expand(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the data in blocks of at most 1 MiB; a stream that is damaged or too short is an error."""
    unpacker = zlib.decompressobj()
    received = 0
    with file:
        while not unpacker.eof and (packed := unpacker.unconsumed_tail or file.read(BLOCK)):
            try:
                block = unpacker.decompress(packed, BLOCK)
            except zlib.error:
                raise errors.RemoteServiceUnavailable(reason="the file is damaged") from None
            received += len(block)
            if block:
                yield block
    if received != size or not unpacker.eof:
        raise errors.SizeMismatch(expected=size, received=received)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Convert the system's errors into those of the contract; the caller handles FileExistsError."""
    try:
        yield
    except FileExistsError:
        raise
    except PermissionError as error:
        raise errors.StorageWriteDenied(reason=error.strerror) from error
    except OSError as error:
        raise errors.StorageFull(reason=error.strerror) from error


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
