"""The header of a qcow2 file: what is read of it, and what is refused (format-incremental-refused)."""

from dataclasses import dataclass

from glance_mini.content.qcow2.source import Source

HEADER_BYTES = 112
"""Bytes of the header that have a meaning here; a file of version 2 has 72."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header whose values are possible: tables lie within the file and have bounded sizes."""

    version: int
    cluster_bits: int
    virtual_size: int
    l1_offset: int
    l1_entries: int
    has_backing_name: bool
    has_extended_l2: bool = False
    is_zstd: bool = False

    @property
    def cluster_size(self) -> int:
        """The bytes of a cluster: 512 to 2 MiB."""
        return 1 << self.cluster_bits


def is_qcow2(start: bytes) -> bool:
    """Return whether a file that begins with ``start`` (4 bytes or more) says that it is a qcow2."""
    raise NotImplementedError


def parse_header(start: bytes, file_size: int | None = None) -> Header:
    """Return the header of a file that begins with ``start`` (HEADER_BYTES, or the whole file if it is shorter).

    With ``file_size`` (bytes), tables beyond the end of the file are refused too. Raises Unsupported, Damaged.
    """
    raise NotImplementedError


def read_header(source: Source) -> Header:
    """Return the header of a file by one read. Raises Unsupported, Damaged, and what the store raises."""
    raise NotImplementedError
