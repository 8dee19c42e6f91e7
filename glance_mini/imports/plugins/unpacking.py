"""Compression formats: recognised by their first bytes, unpacked with bounded memory and in bounded pieces.

The reader decides how much of the data it takes, so a decompression bomb expands only as far as it is read. Archives
inside the data are not unpacked.
"""

import bz2
import io
import lzma
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from glance_mini.domain.errors import Invalid

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 1024 * 1024
"""The largest size of a piece in bytes."""

_INPUT = 128 * 1024

_ENCRYPTED = 0x1

_MEMORY = 128 * 1024**2
"""Largest window in bytes; the default limit of the formats' own programs."""

_MAGIC = (
    ("gzip", re.compile(rb"\x1f\x8b\x08")),
    ("zip", re.compile(rb"PK\x03\x04")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd")),
)


_BAD = (
    *(zlib.error, lzma.LZMAError, zstd.ZstdError, zipfile.BadZipFile),
    *(EOFError, ValueError, OverflowError, NotImplementedError),
)
"""Errors that the libraries raise for malformed data."""


class BadArchive(Invalid):
    """Compressed data that cannot be unpacked; ``reason`` says why."""

    code = "import.bad_archive"
    template = "The {format} data cannot be unpacked: {reason}"


def find_format(path: Path) -> str | None:
    """Return gzip, zip, xz, bzip2, zstd or None, by the first bytes of the file."""
    with open(path, "rb") as file:
        head = file.read(16)
    return next((name for name, magic in _MAGIC if magic.match(head)), None)


def unpack(path: Path, name: str) -> Generator[bytes, None, None]:
    """Yield the data of a file of format ``name`` in pieces of at most ``PIECE`` bytes; raises BadArchive."""
    try:
        with open(path, "rb") as file:
            yield from _READERS[name](file)
    except _BAD as error:
        raise BadArchive(format=name, reason=f"{error}.") from error


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's object with the interface of the other ones."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _streams(file: BinaryIO, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """Yield the data of all streams of the file, one after the other; zero bytes after a stream are padding."""
    rest = file.read(_INPUT)
    while rest:
        stream = new()
        piece = stream.decompress(rest, PIECE)
        while not stream.eof:
            if piece:
                yield piece
            more = file.read(_INPUT) if stream.needs_input else b""
            if stream.needs_input and not more and not piece:
                raise EOFError("it ends too early")
            piece = stream.decompress(more, PIECE)
        if piece:
            yield piece
        rest = _without_padding(stream.unused_data, file)


def _without_padding(rest: bytes, file: BinaryIO) -> bytes:
    rest = rest.lstrip(b"\0")
    while not rest and (more := file.read(_INPUT)):
        rest = more.lstrip(b"\0")
    return rest


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    return _streams(file, _Gzip)


def _xz(file: BinaryIO) -> Iterator[bytes]:
    return _streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY))


def _bzip2(file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from _streams(file, bz2.BZ2Decompressor)
    except OSError as error:
        if error.errno is not None:
            raise
        raise EOFError(str(error)) from error


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MEMORY.bit_length() - 1}
    return _streams(file, lambda: zstd.ZstdDecompressor(options=options))


def _zip(file: BinaryIO) -> Iterator[bytes]:
    """Yield the data of the only file of an archive; raises BadArchive for other archives."""
    with zipfile.ZipFile(_Frugal(file)) as archive:
        entry = _only_entry(archive)
        with archive.open(entry) as data:
            while piece := data.read(PIECE):
                yield piece


def _only_entry(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = archive.infolist()
    if len(entries) != 1 or entries[0].is_dir():
        raise BadArchive(format="zip", reason="it must contain exactly one file.")
    entry = entries[0]
    path = PurePosixPath(entry.orig_filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
        raise BadArchive(format="zip", reason="its file has a path outside the archive.")
    if entry.flag_bits & _ENCRYPTED:
        raise BadArchive(format="zip", reason="it is encrypted.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive(format="zip", reason="its compression method is neither store nor deflate.")
    return entry


class _Frugal(io.RawIOBase):
    """A file that is never read in large pieces, even if the archive claims large parts."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise zipfile.BadZipFile("it has an offset before the start of the file")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        data = self._file.read(2 * PIECE if size is None or size < 0 else min(size, 2 * PIECE + 1))
        if len(data) > 2 * PIECE:
            raise zipfile.BadZipFile("its directory is too large")
        return data


_READERS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    "gzip": _gzip,
    "zip": _zip,
    "xz": _xz,
    "bzip2": _bzip2,
    "zstd": _zstd,
}
