"""The header of a qcow2 file: what is read of it, and what is refused (format-incremental-refused)."""

import struct
from dataclasses import dataclass

from glance_mini.content.qcow2.errors import Damaged, Unsupported
from glance_mini.content.qcow2.source import Source

HEADER_BYTES = 112
"""Bytes of the header that have a meaning here; a file of version 2 has 72."""

MAGIC = b"QFI\xfb"

BACKING_FORMAT = 0xE2792ACA
"""The kind of the header extension that names the format of the backing file."""

_VERSION_2 = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSION_3 = struct.Struct(">QQQII")
_SIZES = {2: _VERSION_2.size, 3: _VERSION_2.size + _VERSION_3.size}

_CLUSTER_BITS = range(9, 22)
_LARGEST_L1 = 4 * 1024 * 1024
"""Entries of an L1 table, 32 MiB; other programs have the same bound."""

_LONGEST_NAME = 1023
_LARGEST_DISK = 2**63 - 1

_ZSTD_BIT, _EXTENDED_BIT = 3, 4
_REFUSED = {
    0: "it is marked dirty; run 'qemu-img check -r all' on it first",
    1: "it is marked corrupt",
    2: "its data is in another file",
}
"""Incompatible features that are understood and refused, by bit."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header whose values are possible: tables lie within the file and have bounded sizes."""

    version: int
    cluster_bits: int
    virtual_size: int
    l1_offset: int
    name_offset: int = 0
    name_length: int = 0
    length: int = _SIZES[2]
    has_extended_l2: bool = False
    is_zstd: bool = False

    @property
    def cluster_size(self) -> int:
        """The bytes of a cluster: 512 to 2 MiB."""
        return 1 << self.cluster_bits

    @property
    def has_backing_name(self) -> bool:
        """Whether the file names a backing file."""
        return bool(self.name_offset and self.name_length)

    @property
    def entry_bits(self) -> int:
        """The bytes of an L2 entry as a power of two: 3 or 4."""
        return 4 if self.has_extended_l2 else 3

    @property
    def table_bits(self) -> int:
        """The bytes of the guest's disk that one L2 table describes, as a power of two."""
        return 2 * self.cluster_bits - self.entry_bits

    @property
    def l1_entries(self) -> int:
        """The entries of the L1 table that describe the disk; further ones are not looked at."""
        return -(-self.virtual_size >> self.table_bits)


def is_qcow2(start: bytes | bytearray) -> bool:
    """Return whether a file that begins with ``start`` (4 bytes or more) says that it is a qcow2."""
    return start[:4] == MAGIC


def parse_header(start: bytes | bytearray, file_size: int | None = None) -> Header:
    """Return the header of a file that begins with ``start`` (HEADER_BYTES, or the whole file if it is shorter).

    With ``file_size`` (bytes), tables beyond the end of the file are refused too. Raises Unsupported, Damaged.
    Source: the specification of qcow2 (docs/interop/qcow2.txt of QEMU), "Header".
    """
    if not is_qcow2(start):
        raise Damaged(reason="it does not begin as a qcow2")
    if len(start) < _VERSION_2.size:
        raise Damaged(reason="its header is cut off")
    (_, version, name_offset, name_length, bits, size, crypt, l1_entries, l1_offset, _, _, snapshots, _) = (
        _VERSION_2.unpack_from(start)
    )
    if version not in _SIZES:
        raise Unsupported(reason=f"it is a qcow2 of version {version}")
    if len(start) < _SIZES[version]:
        raise Damaged(reason="its header is cut off")
    if bits not in _CLUSTER_BITS:
        raise Damaged(reason=f"its clusters have 2^{bits} bytes")
    if crypt:
        raise Unsupported(reason="it is encrypted")
    if snapshots:
        raise Unsupported(reason=f"it has {snapshots} internal snapshots; remove them with 'qemu-img snapshot -d'")
    is_zstd, has_extended_l2, length = _features(start) if version == 3 else (False, False, _SIZES[2])
    if length > 1 << bits:
        raise Damaged(reason=f"its header has {length} bytes, more than a cluster")
    header = Header(version, bits, size, l1_offset, name_offset, name_length, length, has_extended_l2, is_zstd)
    _check_name(header)
    _check_l1(header, l1_entries, file_size)
    return header


def read_header(source: Source) -> Header:
    """Return the header of a file by one read. Raises Unsupported, Damaged, and what the store raises."""
    length = min(HEADER_BYTES, source.size)
    return parse_header(source.read(0, length) if length else b"", source.size)


def _features(start: bytes | bytearray) -> tuple[bool, bool, int]:
    """Return whether clusters are packed by zstd, whether L2 entries are extended, and the bytes of the header."""
    features, _, _, order, length = _VERSION_3.unpack_from(start, _VERSION_2.size)
    for bit, reason in _REFUSED.items():
        if features >> bit & 1:
            raise Unsupported(reason=reason)
    unknown = features >> (_EXTENDED_BIT + 1)
    if unknown:
        raise Unsupported(reason=f"it uses unknown features (incompatible features {features:#x})")
    if order > 6:
        raise Damaged(reason=f"its reference counts have 2^{order} bits")
    if length < _SIZES[3]:
        raise Damaged(reason=f"its header has {length} bytes")
    compression = start[_SIZES[3]] if length > _SIZES[3] and len(start) > _SIZES[3] else 0
    is_zstd = bool(features >> _ZSTD_BIT & 1)
    if compression != is_zstd:
        raise Unsupported(reason=f"its compression has the number {compression}")
    return is_zstd, bool(features >> _EXTENDED_BIT & 1), length


def _check_name(header: Header) -> None:
    if not header.has_backing_name:
        return
    if header.name_length > _LONGEST_NAME:
        raise Damaged(reason=f"the name of its backing file has {header.name_length} bytes")
    if header.name_offset < header.length or header.name_offset + header.name_length > header.cluster_size:
        raise Damaged(reason="the name of its backing file is not in the first cluster behind the header")


def _check_l1(header: Header, entries: int, file_size: int | None) -> None:
    needed = header.l1_entries
    if header.virtual_size > _LARGEST_DISK or needed > _LARGEST_L1:
        raise Damaged(reason=f"it claims a disk of {header.virtual_size} bytes")
    if header.has_extended_l2 and header.cluster_bits < 14:
        raise Damaged(reason="its clusters are too small for extended L2 entries")
    if entries < needed:
        raise Damaged(reason=f"its L1 table has {entries} entries, and {needed} are needed")
    if not needed:
        return
    if header.l1_offset % header.cluster_size or header.l1_offset < header.cluster_size:
        raise Damaged(reason=f"its L1 table is at {header.l1_offset}")
    if header.l1_offset + 8 * needed > (2**63 if file_size is None else file_size):
        raise Damaged(reason="its L1 table lies beyond the end of the file")
