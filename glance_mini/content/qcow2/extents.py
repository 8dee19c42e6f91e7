"""Which bytes of which file a range of the guest's disk consists of: the merged extents of a chain."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from glance_mini.content.qcow2.header import Header, read_header
from glance_mini.content.qcow2.level_runs import Qcow2Runs, RawRuns
from glance_mini.content.qcow2.runs import Kind, Run, joined
from glance_mini.content.qcow2.source import Source
from glance_mini.content.qcow2.tables import Tables

__all__ = ["CACHE_BYTES", "Chain", "Kind", "Level", "Run"]

CACHE_BYTES = 8 * 1024 * 1024
"""Memory for the tables of a chain, unless a chain is given another bound."""

_RAW_CLUSTER_BITS = 16


@dataclass(frozen=True, slots=True)
class Level:
    """One file of a chain. Only the last level may be raw."""

    source: Source
    disk_format: Literal["qcow2", "raw"]


class Chain:
    """The files of a chain, the top (what the guest sees first) first and the base last; used by threads at once.

    Headers are read when they are needed (one read each), tables by pages of 64 KiB that are kept within
    ``cache_bytes``. Whatever reads raises Damaged, Unsupported, and what the stores raise.
    """

    def __init__(self, levels: Sequence[Level], cache_bytes: int = CACHE_BYTES) -> None:
        if not levels or any(level.disk_format == "raw" for level in levels[:-1]):
            raise ValueError("a chain has one or more levels, and only the last may be raw")
        self.levels = tuple(levels)
        self._tables = Tables([level.source for level in levels], cache_bytes)
        self._known: dict[int, Qcow2Runs | RawRuns] = {}

    @property
    def size(self) -> int:
        """The bytes of the guest's disk: the virtual size of the top."""
        return self.level(0).size

    @property
    def cluster_bits(self) -> int:
        """Those of the top; 16 if it is raw."""
        top = self.level(0)
        return top.header.cluster_bits if isinstance(top, Qcow2Runs) else _RAW_CLUSTER_BITS

    def level(self, number: int) -> Qcow2Runs | RawRuns:
        """Return what level ``number`` holds by itself; its header is read if it is not known yet."""
        found = self._known.get(number)
        if found is None:
            level = self.levels[number]
            if level.disk_format == "raw":
                found = RawRuns(number, level.source)
            else:
                found = Qcow2Runs(number, level.source, read_header(level.source), self._tables)
            self._known[number] = found
        return found

    def learn(self, number: int, header: Header, l1: "array[int] | None") -> None:
        """Take header and L1 table of level ``number`` as known: they need not be read."""
        self._known[number] = Qcow2Runs(number, self.levels[number].source, header, self._tables, l1)

    def runs(
        self, start: int = 0, end: int | None = None, depth: int | None = None, holes: bool = False
    ) -> Iterator[Run]:
        """Yield the runs of the guest's bytes ``start`` to ``end`` (exclusive; None: of all), in order.

        What no run covers is not allocated in any level and reads as zeros. Runs that follow each other in the disk and
        in a file are one run. With ``depth`` only the uppermost ``depth`` levels are looked at: the runs are what these
        levels changed of the level below. With ``holes`` the holes that the source of a raw base knows are left out;
        they may be others tomorrow, so nothing that must stay the same may depend on it. Memory does not depend on the
        size of the range.
        """
        depth = len(self.levels) if depth is None else min(depth, len(self.levels))
        return joined(self._merged(0, depth, start, self.size if end is None else min(end, self.size), holes))

    def _merged(self, number: int, depth: int, start: int, end: int, holes: bool) -> Iterator[Run]:
        """Yield the runs of level ``number`` and, where it has none, of those below; beyond its end there is none."""
        if number == depth:
            return
        level = self.level(number)
        end = min(end, level.size)
        if start >= end:
            return
        is_lowest = number + 1 == depth
        for run in level.runs(start, end, holes):
            if run.start > start and not is_lowest:
                yield from self._merged(number + 1, depth, start, run.start, holes)
            yield run
            start = run.start + run.length
        if start < end and not is_lowest:
            yield from self._merged(number + 1, depth, start, end, holes)
