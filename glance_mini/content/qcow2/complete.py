"""A chain as one stand-alone file: qcow2 of a layout that is always the same, or raw (format-incremental-complete)."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import BinaryIO

from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.guest import guest_pieces, read_guest
from glance_mini.content.qcow2.index import MOST_WINDOWS, Index, count_clusters
from glance_mini.content.qcow2.layout import Layout, table_bits
from glance_mini.content.qcow2.level_runs import Qcow2Runs
from glance_mini.content.qcow2.pieces import Piece
from glance_mini.content.qcow2.reading import read_pieces, sendable_parts
from glance_mini.content.qcow2.room import within_files
from glance_mini.content.qcow2.spans import Span, spans
from glance_mini.content.qcow2.stored_index import decode_index, encode_index
from glance_mini.content.qcow2.tables import PAGE_BITS
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import FilePart

LAYOUT = 1
"""The version of the layout. Whoever makes an ETag of a complete disk puts this number and what identifies the data of
each level into it: the same data and the same number give the same bytes."""


class CompleteDisk:
    """The complete disk of a chain as a qcow2 file; made while it is read, nothing is written.

    Without ``index`` (of ``make_index``) the first use reads all tables of the chain. With it, a range of 4 KiB takes
    one read of tables for each level, and one of data for each cluster that it touches. Raises StaleIndex. Several
    threads may read at once.
    """

    def __init__(self, chain: Chain, index: bytes | None = None) -> None:
        self._chain = chain
        self._index = None if index is None else decode_index(chain, index)

    @property
    def size(self) -> int:
        """The bytes of the file: its Content-Length."""
        return self._layout.size

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """Yield the bytes from ``offset`` (None: to the end), at most 1 MiB at once; errors may come late."""
        return read_pieces(self._chain, self.pieces(offset, length))

    def pieces(self, offset: int = 0, length: int | None = None) -> Iterator[Piece]:
        """Yield what these bytes consist of, in order, without reading data."""
        return self._layout.pieces(offset, length)

    def parts(self, offset: int, length: int) -> Iterator[Chunk | FilePart] | None:
        """Yield the bytes from ``offset``, long pieces as parts of files; None unless all files are local.

        The iterator keeps the files open until it is closed. Raises what the stores raise.
        """
        return _local_parts(self._chain, self.pieces(offset, length))

    @cached_property
    def _layout(self) -> Layout:
        chain = self._chain
        index = self._index or _count(chain)
        return Layout(_Merged(chain), index, chain.size, chain.cluster_bits)


class RawDisk:
    """The guest's bytes as a file: ``size`` is the virtual size, and holes are zeros."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    @property
    def size(self) -> int:
        """The bytes of the guest's disk."""
        return self._chain.size

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """As that of CompleteDisk."""
        return read_guest(self._chain, offset, length)

    def pieces(self, offset: int = 0, length: int | None = None) -> Iterator[Piece]:
        """As that of CompleteDisk."""
        return guest_pieces(self._chain, offset, length)

    def parts(self, offset: int, length: int) -> Iterator[Chunk | FilePart] | None:
        """As that of CompleteDisk."""
        return _local_parts(self._chain, self.pieces(offset, length))


def _local_parts(chain: Chain, pieces: Iterator[Piece]) -> Iterator[Chunk | FilePart] | None:
    with ExitStack() as opened:
        files: list[BinaryIO] = []
        for level in chain.levels:
            local = getattr(level.source, "local", None)
            file = None if local is None else local()
            if file is None:
                return None
            files.append(opened.enter_context(file))
        return _until_closed(sendable_parts(chain, pieces, files), opened.pop_all())


def _until_closed(parts: Iterator[Chunk | FilePart], files: ExitStack) -> Iterator[Chunk | FilePart]:
    with files:
        yield from parts


def make_index(chain: Chain) -> bytes:
    """Return the index of the complete disk, for the caller to keep with the image; format-incremental-index.

    Reads all tables once and checks them: every table and every cluster lies within its file, and no level holds more
    clusters than its file has room for. Blocks; may be repeated. Raises Damaged, Unsupported.
    """
    return encode_index(chain, _count(chain))


class _Merged:
    """The clusters of a chain. Holes that a store knows are not used: the file must always be the same."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield the merged clusters."""
        return spans(self._chain.runs(start, end), self._chain.cluster_bits)


class _Checked(_Merged):
    """The same, for one pass over all of it."""

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield the merged clusters; raises Damaged if there are more than the files have room for."""
        return spans(within_files(self._chain, self._chain.runs(start, end)), self._chain.cluster_bits)


def _count(chain: Chain) -> Index:
    for number in range(len(chain.levels)):
        chain.level(number).check()
    bits = chain.cluster_bits
    return count_clusters(_Checked(chain), chain.size, bits, window_bits(chain), table_bits(bits))


def window_bits(chain: Chain) -> int:
    """Return the bytes of a window of the index of ``chain``, as a power of two.

    A window is described by one page of tables of each level, so far as there are not too many windows.
    """
    bits = table_bits(chain.cluster_bits)
    for number in range(len(chain.levels)):
        level = chain.level(number)
        if isinstance(level, Qcow2Runs):
            header = level.header
            bits = min(bits, header.table_bits, header.cluster_bits + PAGE_BITS - header.entry_bits)
    bits = max(bits, chain.cluster_bits)
    while -(-chain.size >> bits) > MOST_WINDOWS:
        bits += 1
    return bits
