"""The compression formats that the service knows by name, recognised by the beginning of the data."""

import re
from collections.abc import Callable
from typing import BinaryIO

_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""The magic number of a skippable frame (RFC 8878 section 3.1.2). The format lz4 has such frames too."""

_SKIPPABLE_HEADER = 8

_MAGIC = (
    ("gzip", re.compile(rb"\x1f\x8b\x08")),
    # An archive may begin with the marker of a split archive, and an empty one is only its end record.
    ("zip", re.compile(rb"(PK\x07\x08|PK00)?PK\x03\x04|PK\x05\x06")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd")),
)

HEAD = 16
"""Bytes that ``name_of`` needs."""


def name_of(head: bytes) -> str | None:
    """Return gzip, zip, xz, bzip2, zstd or None for data that begins with ``head``.

    A skippable frame counts as zstd, because what follows it may be far away.
    """
    if _SKIPPABLE.match(head):
        return "zstd"
    return next((name for name, magic in _MAGIC if magic.match(head)), None)


def find_format(file: BinaryIO, check: Callable[[], None]) -> str | None:
    """Return gzip, zip, xz, bzip2, zstd or None for the data of ``file``, which is at its beginning.

    Skippable frames are passed over, and ``check`` is called for each of them. After them there must be a zstd frame or
    the end of the file; otherwise the file is not zstd.
    """
    head = file.read(HEAD)
    if not _SKIPPABLE.match(head):
        return name_of(head)
    size, position = file.seek(0, 2), 0
    while _SKIPPABLE.match(head):
        check()
        position += _SKIPPABLE_HEADER + int.from_bytes(head[4:_SKIPPABLE_HEADER], "little")
        file.seek(position)
        head = file.read(HEAD)
    return "zstd" if position == size or name_of(head) == "zstd" else None
