"""The layout of the qcow2 file that is made: where everything lies, and of what it consists.

The format is described in format-incremental-complete.
Header, reference counts, L1 table, the L2 tables that have an entry, then the clusters with data in the order of the
guest's disk. Everything before the data is computed.
"""

import struct
from array import array
from collections.abc import Callable, Iterator
from functools import partial

from glance_mini.content.qcow2.errors import Unsupported
from glance_mini.content.qcow2.header import BACKING_FORMAT, MAGIC
from glance_mini.content.qcow2.index import Index
from glance_mini.content.qcow2.pieces import Literal, Piece, Zeros, filled, joined_pieces
from glance_mini.content.qcow2.spans import Clusters, Span
from glance_mini.content.qcow2.tables import packed_numbers

_COPIED = 1 << 63
_ZERO = 1
_HEADER_BYTES = 104
_REFCOUNT_ORDER = 4
_LARGEST_REFCOUNT_TABLE = 8 * 1024 * 1024

_ENTRIES = 8192
"""Entries of a table that are computed at once."""


class Layout:
    """The file made of ``clusters`` of a disk of ``size`` bytes, with clusters of ``1 << bits`` bytes.

    ``index`` counts the same clusters. The file calls its backing file ``name``, which must fit into a cluster behind
    the header, and the format of that ``name_format``. Raises Unsupported if the file would need larger tables than
    programs read.
    """

    def __init__(
        self, clusters: Clusters, index: Index, size: int, bits: int, name: bytes = b"", name_format: bytes = b""
    ) -> None:
        self._clusters = clusters
        self._index = index
        self._disk = -(-size // 512) * 512
        self._name = name
        self._extensions = _extension(BACKING_FORMAT, name_format) + bytes(8)
        self._bits = bits
        self._cluster = cluster = 1 << bits
        self._disk_end = -(-size >> bits) << bits
        self._l1_entries = max(1, -(-size >> table_bits(bits)))
        l1 = _clusters_of(8 * self._l1_entries, bits)
        rest = 1 + l1 + len(index.tables) + index.clusters
        blocks, table = _refcount_clusters(rest, bits)
        self._blocks, self._table = blocks, table
        if table * cluster > _LARGEST_REFCOUNT_TABLE:
            raise Unsupported(reason=f"clusters of {cluster} bytes are too small for a file of {rest * cluster} bytes")
        self._used = rest + blocks + table
        self.size = self._used * cluster
        self._l1_offset = (1 + table + blocks) * cluster
        self._l2_offset = self._l1_offset + l1 * cluster
        self._data_offset = self._l2_offset + len(index.tables) * cluster
        self._regions: tuple[tuple[int, int, Callable[[int, int], Iterator[Piece]]], ...] = (
            (0, cluster, self._header),
            (cluster, (1 + table) * cluster, self._refcount_table),
            ((1 + table) * cluster, self._l1_offset, self._refcount_blocks),
            (self._l1_offset, self._l2_offset, self._l1_table),
            (self._l2_offset, self._data_offset, self._l2_tables),
            (self._data_offset, self.size, self._data),
        )

    def pieces(self, offset: int = 0, length: int | None = None) -> Iterator[Piece]:
        """Yield what the bytes of the file from ``offset`` consist of (None: to the end)."""
        end = self.size if length is None else min(self.size, offset + length)
        for start, stop, make in self._regions:
            low, high = max(offset, start), min(end, stop)
            if low < high:
                yield from joined_pieces(make(low - start, high - start))

    def _header(self, low: int, high: int) -> Iterator[Piece]:
        name = self._name
        offset = _HEADER_BYTES + len(self._extensions) if name else 0
        header = struct.pack(">4sIQIIQ", MAGIC, 3, offset, len(name), self._bits, self._disk)
        header += struct.pack(">IIQQIIQ", 0, self._l1_entries, self._l1_offset, self._cluster, self._table, 0, 0)
        header += struct.pack(">QQQII", 0, 0, 0, _REFCOUNT_ORDER, _HEADER_BYTES)
        header += self._extensions + name
        yield from _part(header, low, high)

    def _refcount_table(self, low: int, high: int) -> Iterator[Piece]:
        first = (1 + self._table) * self._cluster
        used = range(first, first + self._blocks * self._cluster, self._cluster)
        yield from _table(lambda start, end: array("Q", used[start:end]), len(used), low, high)

    def _refcount_blocks(self, low: int, high: int) -> Iterator[Piece]:
        used = 2 * self._used
        for start in range(low, min(high, used), 8 * _ENTRIES):
            length = min(8 * _ENTRIES, high - start, used - start)
            yield Literal((b"\0\1" * (length // 2 + 1))[start & 1 : (start & 1) + length])
        if high > max(low, used):
            yield Zeros(high - max(low, used))

    def _l1_table(self, low: int, high: int) -> Iterator[Piece]:
        yield from _table(self._l1_part, self._l1_entries, low, high)

    def _l1_part(self, start: int, end: int) -> "array[int]":
        part = array("Q", bytes(8 * (end - start)))
        at = self._index.tables_before(start)
        tables = self._index.tables
        while at < len(tables) and tables[at] < end:
            part[tables[at] - start] = (self._l2_offset + at * self._cluster) | _COPIED
            at += 1
        return part

    def _l2_tables(self, low: int, high: int) -> Iterator[Piece]:
        while low < high:
            number, inside = low >> self._bits, low & (self._cluster - 1)
            length = min(self._cluster - inside, high - low)
            first = self._index.tables[number] << (self._bits - 3)
            make = partial(self._l2_part, first)
            yield from _table(make, self._cluster // 8, inside, inside + length)
            low += length

    def _l2_part(self, first: int, start: int, end: int) -> "array[int]":
        """Return the entries ``start`` to ``end`` of the table that begins with the guest's cluster ``first``."""
        start, end = first + start, first + end
        part = array("Q", bytes(8 * (end - start)))
        shift = self._index.window_bits - self._bits
        window = start >> shift
        stop = min(-(-end >> shift) << self._index.window_bits, self._disk_end)
        if window << self._index.window_bits >= stop:
            # A table of large clusters describes more than the disk.
            return part
        number = self._index.before(window)
        for span in self._clusters.spans(window << self._index.window_bits, stop):
            low, high = max(span.first, start), min(span.first + span.clusters, end)
            if low < high:
                if span.is_data:
                    offset = self._data_offset + (number + low - span.first) * self._cluster | _COPIED
                    values = array("Q", range(offset, offset + (high - low) * self._cluster, self._cluster))
                else:
                    values = array("Q", [_ZERO]) * (high - low)
                part[low - start : high - start] = values
            number += span.clusters if span.is_data else 0
        return part

    def _data(self, low: int, high: int) -> Iterator[Piece]:
        first, end = low >> self._bits, -(-high >> self._bits)
        window, number = self._index.find(first)
        for span in self._clusters.spans(window << self._index.window_bits, self._disk_end):
            if not span.is_data:
                continue
            start = number << self._bits
            number += span.clusters
            if number > first:
                yield from self._span(span, max(low - start, 0), min(high - start, span.clusters << self._bits))
            if number >= end:
                return

    def _span(self, span: Span, low: int, high: int) -> Iterator[Piece]:
        start = span.first << self._bits
        return filled(span.runs, start + low, start + high)


def _extension(kind: int, data: bytes) -> bytes:
    """Return a header extension with ``data``; nothing without any."""
    return struct.pack(">II", kind, len(data)) + data.ljust(-(-len(data) // 8) * 8, b"\0") if data else b""


def table_bits(cluster_bits: int) -> int:
    """Return the bytes that an L2 table describes, as a power of two."""
    return 2 * cluster_bits - 3


def _refcount_clusters(others: int, bits: int) -> tuple[int, int]:
    """Return the clusters of reference counts of a file with ``others`` more, and those of the table of the former."""
    blocks = table = 0
    while True:
        used = others + blocks + table
        wanted = _clusters_of(2 * used, bits)
        if (wanted, _clusters_of(8 * wanted, bits)) == (blocks, table):
            return blocks, table
        blocks, table = wanted, _clusters_of(8 * wanted, bits)


def _clusters_of(length: int, bits: int) -> int:
    return -(-length >> bits)


def _table(make: Callable[[int, int], "array[int]"], entries: int, low: int, high: int) -> Iterator[Piece]:
    """Yield the bytes ``low`` to ``high`` of a table; ``make`` returns a part of its ``entries``, then come zeros."""
    while low < min(high, 8 * entries):
        start = low // 8
        end = min(start + _ENTRIES, -(-high // 8), entries)
        data = packed_numbers(make(start, end))
        yield Literal(data[low - 8 * start : high - 8 * start])
        low = min(8 * end, high)
    if low < high:
        yield Zeros(high - low)


def _part(data: bytes, low: int, high: int) -> Iterator[Piece]:
    """Yield the bytes ``low`` to ``high`` of ``data``, behind which there are zeros."""
    if data[low:high]:
        yield Literal(data[low:high])
    if high > max(low, len(data)):
        yield Zeros(high - max(low, len(data)))
