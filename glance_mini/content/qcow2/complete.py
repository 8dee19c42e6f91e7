"""A chain as one stand-alone file: qcow2 of a layout that is always the same, or raw (format-incremental-complete)."""

from collections.abc import Iterator

from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.pieces import Piece
from glance_mini_store.lanes import Chunk

LAYOUT = 1
"""The version of the layout. Whoever makes an ETag of a complete disk puts this number and what identifies the data of
each level into it: the same data and the same number give the same bytes."""


class CompleteDisk:
    """The complete disk of a chain as a qcow2 file; made while it is read, nothing is written.

    Without ``index`` (of ``make_index``) the first use reads all tables of the chain. With it, a range of 4 KiB takes
    one read of tables for each level that holds data near it, and one of data. Raises StaleIndex.
    """

    def __init__(self, chain: Chain, index: bytes | None = None) -> None:
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The bytes of the file: its Content-Length."""
        raise NotImplementedError

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """Yield the bytes from ``offset`` (None: to the end), in pieces of at most 4 MiB; errors may come late."""
        raise NotImplementedError

    def pieces(self, offset: int = 0, length: int | None = None) -> Iterator[Piece]:
        """Yield what these bytes consist of, in order, without reading data: for read-ahead, sendfile and copies."""
        raise NotImplementedError


class RawDisk:
    """The same of the guest's bytes: ``size`` is the virtual size, and holes are zeros."""

    def __init__(self, chain: Chain) -> None:
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The bytes of the guest's disk."""
        raise NotImplementedError

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """As that of CompleteDisk."""
        raise NotImplementedError

    def pieces(self, offset: int = 0, length: int | None = None) -> Iterator[Piece]:
        """As that of CompleteDisk."""
        raise NotImplementedError


def make_index(chain: Chain) -> bytes:
    """Return the index of the complete disk: kept by the caller with the image, at most a few MiB.

    Reads all tables once and checks them: every table and cluster lies within its file, and no level holds more
    clusters than its file has room for. Blocks; may be repeated. Raises Damaged, Unsupported.
    """
    raise NotImplementedError
