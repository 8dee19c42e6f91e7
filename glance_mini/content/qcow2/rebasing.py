"""Makes the delta that turns another base into the same disk (format-incremental-rebase)."""

from collections.abc import Iterator

from glance_mini.content.qcow2.changed import ChangedClusters, DeltaDisk
from glance_mini.content.qcow2.errors import StaleIndex
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.guest import read_guest
from glance_mini.content.qcow2.runs import Kind, Run

STEP = 256 * 1024 * 1024
"""Bytes of the guest's disk that one step compares."""

_UNIT = 2 * 1024 * 1024
"""Bytes that are read of both disks at once."""


class Comparison:
    """Finds the clusters in which the disk of ``chain`` differs from that of ``base``.

    Bytes that both take from the same place of the same source (``==``) are not read. ``step`` compares a further part;
    ``is_done`` tells the end. ``checkpoint`` returns bytes from which a later Comparison of the same chain and base
    goes on; raises StaleIndex if they are of no use. Where the base ends before the disk, it reads as zeros.
    """

    def __init__(self, chain: Chain, base: Chain, checkpoint: bytes | None = None) -> None:
        self.chain = chain
        self.changed, self._position = ChangedClusters(), 0
        if checkpoint is not None:
            self.changed, self._position = ChangedClusters.decode(checkpoint)
        if self._position > chain.size or (self._position % STEP and self._position != chain.size):
            raise StaleIndex(reason="a checkpoint is of another disk")
        self._base = base

    @property
    def is_done(self) -> bool:
        """Whether all has been compared."""
        return self._position >= self.chain.size

    def step(self) -> int:
        """Compare up to STEP further bytes; return how many bytes of the guest's disk are done.

        Blocks. Raises Damaged, Unsupported and what the stores raise; then the step may be repeated.
        """
        end = min(self._position + STEP, self.chain.size)
        for start, stop in _units(self._suspects(self._position, end), self.chain.cluster_bits):
            self._compare(start, min(stop, self.chain.size))
        self._position = end
        return end

    def checkpoint(self) -> bytes:
        """Return the state between two steps, compressed: at most a few MiB, typically some KiB."""
        return self.changed.encode(self._position)

    def _suspects(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges, in order, in which the tables do not show that both disks are the same."""
        chain, base = self.chain, self._base
        ours, theirs = chain.runs(start, end, holes=True), base.runs(start, end, holes=True)
        for low, high, one, other in _side_by_side(ours, theirs, start, end):
            if one is None or other is None:
                is_same = one is other
            else:
                is_same = chain.levels[one.level].source == base.levels[other.level].source and _is_same(one, other)
            if not is_same:
                yield low, high

    def _compare(self, start: int, end: int) -> None:
        ours = b"".join(read_guest(self.chain, start, end - start))
        theirs = b"".join(read_guest(self._base, start, end - start)).ljust(end - start, b"\0")
        if ours == theirs:
            return
        bits = self.chain.cluster_bits
        size = 1 << bits
        for offset in range(0, end - start, size):
            if ours[offset : offset + size] != theirs[offset : offset + size]:
                self.changed.add((start + offset) >> bits)


class RebasedDelta(DeltaDisk):
    """A qcow2 that names no backing file and holds what ``comparison``, which is done, has found.

    Above the new base it is the same disk. Its clusters are those of the top of the chain.
    """

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(comparison.chain, comparison.changed, comparison.chain.cluster_bits)


def _side_by_side(
    ours: Iterator[Run], theirs: Iterator[Run], start: int, end: int
) -> Iterator[tuple[int, int, Run | None, Run | None]]:
    """Yield (start, end, our run, their run) for all parts of a range; None: zeros."""
    one, other = next(ours, None), next(theirs, None)
    while start < end:
        stop = end
        for run in (one, other):
            if run is not None:
                stop = min(stop, run.start if run.start > start else run.end)
        yield start, stop, _at(one, start), _at(other, start)
        start = stop
        if one is not None and one.end <= start:
            one = next(ours, None)
        if other is not None and other.end <= start:
            other = next(theirs, None)


def _at(run: Run | None, position: int) -> Run | None:
    return None if run is None or run.start > position or run.kind is Kind.ZERO else run


def _is_same(one: Run, other: Run) -> bool:
    """Return whether two runs of one source hold the same bytes where they overlap in the guest's disk."""
    if one.kind is not other.kind:
        return False
    if one.kind is Kind.DATA:
        return one.offset - one.start == other.offset - other.start
    return one.offset == other.offset and one.skip - one.start == other.skip - other.start


def _units(ranges: Iterator[tuple[int, int]], bits: int) -> Iterator[tuple[int, int]]:
    """Yield ``ranges``, which are in order, as whole clusters, joined, in parts of at most _UNIT bytes."""
    position = 0
    for start, end in ranges:
        low = max(position, start >> bits << bits)
        high = -(-end >> bits) << bits
        while low < high:
            position = min(high, low + _UNIT)
            yield low, position
            low = position
