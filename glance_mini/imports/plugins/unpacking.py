"""Unpacks compression formats with bounded memory and in bounded pieces.

The reader decides how much of the data it takes, so a decompression bomb expands only as far as it is read. Each piece
costs a bounded amount of work, so a reader that looks at its clock at each piece can always stop. Archives inside the
data are not unpacked.
"""

import bz2
import io
import lzma
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from glance_mini.domain.errors import Invalid
from glance_mini.imports.plugins.base import Check

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 1024 * 1024
"""The largest size of a piece in bytes."""

_INPUT = 128 * 1024

_FIRST_INPUT = 16 * 1024
"""Bytes that are read for the beginning of a stream."""

_ENCRYPTED = 0x1

WINDOWS = (16 * PIECE, 128 * PIECE)
"""Windows in bytes to try: that of usual data, and the largest that the formats' own programs take by default."""

_ZIP_READ = PIECE // 2
"""Bytes of the longest read of a zip archive, which bounds its directory."""

_BAD = (
    *(zlib.error, lzma.LZMAError, zstd.ZstdError, zipfile.BadZipFile),
    *(EOFError, ValueError, OverflowError, NotImplementedError),
)
"""Errors that the libraries raise for malformed data."""


class BadArchive(Invalid):
    """Compressed data that cannot be unpacked; ``reason`` says why."""

    code = "import.bad_archive"
    template = "The {format} data cannot be unpacked: {reason}"


def unpack(path: Path, name: str, check: Check, window: int) -> Generator[bytes, None, None]:
    """Yield the data of a file of format ``name`` in pieces of at most ``PIECE`` bytes.

    Raises BadArchive, also for data that needs a larger window than ``window`` bytes.

    A piece may be empty: compressed data can be long and hold nothing. ``check`` is called at each piece and, for zip,
    whenever the library reads the file, because it does not return before it has data.
    """
    try:
        with open(path, "rb") as file:
            for piece in _zip(file, check) if name == "zip" else _READERS[name](file, window):
                check()
                yield piece
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
    """Yield the data of all streams of the file, one after the other; zero bytes after a stream are padding.

    Something is yielded for each stream and for each read, so that neither empty streams nor padding hold the reader.
    """
    rest = file.read(_FIRST_INPUT)
    while rest:
        stream = new()
        piece = stream.decompress(rest, PIECE)
        while not stream.eof:
            yield piece
            more = file.read(_INPUT) if stream.needs_input else b""
            if stream.needs_input and not more and not piece:
                raise EOFError("it ends too early")
            piece = stream.decompress(more, PIECE)
        yield piece
        # What is left is copied once for each stream, so a small input keeps many small streams cheap.
        rest = stream.unused_data.lstrip(b"\0")
        while not rest and (more := file.read(_FIRST_INPUT)):
            yield b""
            rest = more.lstrip(b"\0")


def _gzip(file: BinaryIO, _window: int) -> Iterator[bytes]:
    return _streams(file, _Gzip)


def _xz(file: BinaryIO, window: int) -> Iterator[bytes]:
    return _streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=window))


def _bzip2(file: BinaryIO, _window: int) -> Iterator[bytes]:
    try:
        yield from _streams(file, bz2.BZ2Decompressor)
    except OSError as error:
        if error.errno is not None:
            raise
        raise EOFError(str(error)) from error


def _zstd(file: BinaryIO, window: int) -> Iterator[bytes]:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: window.bit_length() - 1}
    return _streams(file, lambda: zstd.ZstdDecompressor(options=options))


def _zip(file: BinaryIO, check: Check) -> Iterator[bytes]:
    """Yield the data of the only file of an archive; raises BadArchive for other archives."""
    with zipfile.ZipFile(_Frugal(file, check)) as archive:
        entry = _only_entry(archive)
        with archive.open(entry) as data:
            while piece := data.read(_ZIP_READ):
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
    """A file that is never read in large pieces, even if the archive claims large parts, nor without a check."""

    def __init__(self, file: BinaryIO, check: Check) -> None:
        self._file = file
        self._check = check

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise zipfile.BadZipFile("it has an offset before the start of the file")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        self._check()
        data = self._file.read(_ZIP_READ if size is None or size < 0 else min(size, _ZIP_READ + 1))
        if len(data) > _ZIP_READ:
            raise zipfile.BadZipFile("its directory is too large")
        return data


_READERS: dict[str, Callable[[BinaryIO, int], Iterator[bytes]]] = {
    "gzip": _gzip,
    "xz": _xz,
    "bzip2": _bzip2,
    "zstd": _zstd,
}
