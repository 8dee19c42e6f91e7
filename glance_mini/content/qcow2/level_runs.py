"""The runs of one file of a chain, by itself: what its tables say, checked against the file."""

import re
from array import array
from collections.abc import Iterator

from glance_mini.content.qcow2.errors import Damaged
from glance_mini.content.qcow2.header import Header
from glance_mini.content.qcow2.runs import Kind, Run, clipped
from glance_mini.content.qcow2.source import Source
from glance_mini.content.qcow2.tables import PAGE, PAGE_BITS, Tables

_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZERO = 1
_SECTOR = 512
_SUBCLUSTERS = 32
_ALL = 0xFFFFFFFF

_NONZERO = re.compile(rb"[^\0]")


class RawRuns:
    """A raw file: all of it is one run, or the runs of data that its source knows."""

    def __init__(self, level: int, source: Source) -> None:
        self._level = level
        self._source = source
        self.size = source.size

    def runs(self, start: int, end: int, holes: bool) -> Iterator[Run]:
        """Yield the runs between ``start`` and ``end``; with ``holes``, without those that the source knows."""
        extents = getattr(self._source, "extents", None) if holes else None
        for offset, length in extents(start, end - start) if extents else [(start, end - start)]:
            yield Run(offset, length, self._level, Kind.DATA, offset)

    def check(self) -> None:
        """There is nothing that could be wrong."""


class Qcow2Runs:
    """A qcow2: its L1 table, L2 tables and clusters. ``l1`` holds the L1 table if it is known already."""

    def __init__(
        self, level: int, source: Source, header: Header, tables: Tables, l1: "array[int] | None" = None
    ) -> None:
        self.header = header
        self.size = header.virtual_size
        self._level = level
        self._file_size = source.size
        self._tables = tables
        self._l1 = l1
        self._bits = header.cluster_bits
        self._cluster = header.cluster_size
        self._find = self._subcluster_runs if header.has_extended_l2 else self._entry_runs
        self._l1_end = header.l1_offset + 8 * header.l1_entries
        self._shift = 62 - (self._bits - 8)

    def runs(self, start: int, end: int, holes: bool) -> Iterator[Run]:
        """Yield the runs between ``start`` and ``end``; ``holes`` says nothing here. Raises Damaged."""
        bits = self.header.table_bits
        last = (end - 1) >> bits
        number = self._next_table(start >> bits, last + 1)
        while number <= last:
            low, high = max(start, number << bits), min(end, (number + 1) << bits)
            yield from clipped(self._table_runs(self._table(number), low, high), low, high)
            number = self._next_table(number + 1, last + 1)

    def check(self) -> None:
        """Raise Damaged if there are more tables than the file has room for; reads the L1 table."""
        count = 0
        for page, at, number in self._l1_parts(0, self.header.l1_entries):
            count += number - page[at : at + number].count(0)
        if count * self._cluster > self._file_size:
            raise Damaged(reason=f"its {count} L2 tables are larger than the file")

    def l1(self) -> "array[int]":
        """Return the whole L1 table, at most 32 MiB."""
        table = array("Q")
        for page, at, count in self._l1_parts(0, self.header.l1_entries):
            table.extend(page[at : at + count])
        return table

    def _l1_parts(self, first: int, end: int) -> Iterator[tuple["array[int]", int, int]]:
        """Yield the entries ``first`` to ``end`` of the L1 table: an array, the place in it, and how many there are."""
        if self._l1 is not None:
            yield self._l1, first, end - first
            return
        while first < end:
            page, at, count = self._page(self.header.l1_offset + 8 * first, end - first)
            yield page, at, count
            first += count

    def _next_table(self, number: int, end: int) -> int:
        """Return the first number from ``number`` on that has an L2 table, or ``end``."""
        for page, at, count in self._l1_parts(number, end):
            found = _NONZERO.search(page, 8 * at, 8 * (at + count))
            if found:
                return number + found.start() // 8 - at
            number += count
        return end

    def _table(self, number: int) -> int:
        """Return where the L2 table ``number`` lies, or 0."""
        page, at, _ = next(self._l1_parts(number, number + 1))
        offset = page[at] & _OFFSET
        if not offset:
            return 0
        if offset % self._cluster or offset + self._cluster > self._file_size:
            raise Damaged(reason=f"an L2 table is said to be at {offset}")
        if offset < self._l1_end and offset + self._cluster > self.header.l1_offset:
            raise Damaged(reason=f"an L2 table at {offset} overlaps the L1 table")
        return offset

    def _page(self, offset: int, most: int) -> tuple["array[int]", int, int]:
        """Return the page of tables at ``offset``, the place in it, and how many of ``most`` entries it holds."""
        page = self._tables.page(self._level, offset >> PAGE_BITS)
        at = (offset & (PAGE - 1)) >> 3
        return page, at, min(most, len(page) - at)

    def _table_runs(self, table: int, start: int, end: int) -> Iterator[Run]:
        """Yield the runs of whole clusters in the table at ``table`` that touch ``start`` to ``end``."""
        if not table:
            return
        first, last = start >> self._bits, (end - 1) >> self._bits
        words = 1 << (self.header.entry_bits - 3)
        in_table = first & ((1 << (self.header.table_bits - self._bits)) - 1)
        offset, left = table + 8 * words * in_table, words * (last - first + 1)
        position = first << self._bits
        while left:
            page, at, count = self._page(offset, left)
            yield from self._find(page, at, at + count, position)
            offset, left = offset + 8 * count, left - count
            position += count // words << self._bits

    def _entry_runs(self, page: "array[int]", at: int, end: int, position: int) -> Iterator[Run]:
        """Yield the runs of the entries ``at`` to ``end`` of a page; the first is for the guest's ``position``."""
        bits, cluster = self._bits, self._cluster
        while at < end:
            entry = page[at]
            following = at + 1
            if not entry:
                found = _NONZERO.search(page, 8 * following, 8 * end)
                following = found.start() // 8 if found else end
            elif entry & _COMPRESSED:
                yield self._compressed(entry, position)
            elif entry & _ZERO:
                if self.header.version < 3:
                    raise Damaged(reason="it is of version 2 and has clusters of zeros")
                while following < end and page[following] & (_COMPRESSED | _ZERO) == _ZERO:
                    following += 1
                yield Run(position, (following - at) << bits, self._level, Kind.ZERO)
            elif entry & _OFFSET:
                expected = entry + cluster
                while following < end and page[following] == expected:
                    following += 1
                    expected += cluster
                yield self._data(entry & _OFFSET, position, (following - at) << bits)
            position += (following - at) << bits
            at = following

    def _subcluster_runs(self, page: "array[int]", at: int, end: int, position: int) -> Iterator[Run]:
        """As ``_entry_runs``, for extended entries of two words: the second has a state for each subcluster."""
        part = self._cluster // _SUBCLUSTERS
        for index in range(at, end, 2):
            entry, states = page[index], page[index + 1]
            if entry & _COMPRESSED:
                yield self._compressed(entry, position)
            elif states:
                offset, data, zeros = entry & _OFFSET, states & _ALL, states >> 32
                if data & zeros or (data and not offset):
                    raise Damaged(reason="a subcluster is said to hold data and not to hold it")
                for first, count, is_data in _stretches(data, zeros):
                    start, length = position + first * part, count * part
                    if is_data:
                        yield self._data(offset, start, length, first * part)
                    else:
                        yield Run(start, length, self._level, Kind.ZERO)
            position += self._cluster

    def _data(self, offset: int, start: int, length: int, inside: int = 0) -> Run:
        if offset % self._cluster:
            raise Damaged(reason=f"a cluster is said to be at {offset}")
        offset += inside
        if offset + min(length, self.size - start) > self._file_size:
            raise Damaged(reason=f"data at {offset} lies beyond the end of the file")
        return Run(start, length, self._level, Kind.DATA, offset)

    def _compressed(self, entry: int, start: int) -> Run:
        offset = entry & ((1 << self._shift) - 1)
        sectors = (entry & (_COMPRESSED - 1)) >> self._shift
        packed = min((sectors + 1) * _SECTOR - offset % _SECTOR, self._file_size - offset)
        if packed <= 0:
            raise Damaged(reason=f"compressed data at {offset} lies beyond the end of the file")
        return Run(start, self._cluster, self._level, Kind.COMPRESSED, offset, packed)


def _stretches(data: int, zeros: int) -> Iterator[tuple[int, int, bool]]:
    """Yield (first subcluster, count, is data) of those that are allocated, in order."""
    first = 0
    while first < _SUBCLUSTERS:
        is_data = bool(data >> first & 1)
        states = data if is_data else zeros
        count = 1
        while states >> first & states >> (first + count) & 1:
            count += 1
        if states >> first & 1:
            yield first, count, is_data
        first += count
