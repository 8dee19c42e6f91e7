"""Copies of files whose holes stay holes: in a tar file and in the file system.

Source of the form in tar files: GNU tar manual, "PAX Format, Version 1.0" of sparse files, which tarfile reads.
"""

import errno
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 1024 * 1024

Part = tuple[int, int]
"""Offset and length of data in bytes."""


def add_file(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add the file ``path`` to ``tar`` as ``name``, without its holes."""
    with open(path, "rb", buffering=0) as file:
        info = tar.gettarinfo(arcname=name, fileobj=file)
        parts = list(data_parts(file.fileno(), info.size)) if info.isreg() else []
        if not info.isreg() or sum(length for _, length in parts) == info.size:
            tar.addfile(info, file)
            return
        # The last part tells the size of a file that ends with a hole.
        listed = parts if parts and sum(parts[-1]) == info.size else [*parts, (info.size, 0)]
        numbers = [len(listed), *(number for part in listed for number in part)]
        head = "".join(f"{number}\n" for number in numbers).encode()
        head += bytes(-len(head) % tarfile.BLOCKSIZE)
        info.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": info.name,
            "GNU.sparse.realsize": str(info.size),
        }
        info.size = len(head) + sum(length for _, length in parts)
        tar.addfile(info, io.BufferedReader(_Parts(head, file.fileno(), parts), _BLOCK))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file to a new one, without its holes; raises FileNotFoundError before it makes one, and OSError."""
    with open(source, "rb", buffering=0) as file, open(target, "xb", buffering=0) as copy:
        size = os.fstat(file.fileno()).st_size
        for offset, length in data_parts(file.fileno(), size):
            for start in range(offset, offset + length, _BLOCK):
                block = os.pread(file.fileno(), min(_BLOCK, offset + length - start), start)
                os.pwrite(copy.fileno(), block, start)
        os.ftruncate(copy.fileno(), size)


def data_parts(descriptor: int, size: int) -> Iterator[Part]:
    """Yield the parts of an open file that are no holes, in order; its position moves."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        offset = min(size, os.lseek(descriptor, start, os.SEEK_HOLE))
        yield start, offset - start
    os.lseek(descriptor, 0, os.SEEK_SET)


class _Parts(io.RawIOBase):
    """Reads ``head``, and then the ``parts`` of an open file."""

    def __init__(self, head: bytes, descriptor: int, parts: list[Part]) -> None:
        self._head = head
        self._descriptor = descriptor
        self._parts = [part for part in reversed(parts) if part[1]]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        if not self._parts:
            return 0
        offset, length = self._parts.pop()
        count = os.preadv(self._descriptor, [buffer[: min(len(buffer), length)]], offset)
        if count and count < length:
            self._parts.append((offset + count, length - count))
        return count
