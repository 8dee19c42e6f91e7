"""The index of a file that is made of clusters: how many of them lie in which part of the guest's disk.

With it the place of a cluster in the file is found by reading the tables of one window. See format-incremental-index.
"""

from array import array
from bisect import bisect_left, bisect_right

from glance_mini.content.qcow2.spans import Clusters

MOST_WINDOWS = 4 * 1024 * 1024
"""Windows of one index: 16 MiB of memory. No L1 table that is read has more entries."""

_BLOCK_BITS = 6
_BLOCK = 1 << _BLOCK_BITS

HAS_ENTRY = 1 << 31
"""Set in the count of a window in which there is a cluster with data or one of zeros."""

COUNT = HAS_ENTRY - 1


class Index:
    """The counts of the windows of ``1 << window_bits`` bytes of a disk, and what follows from them.

    ``counts`` has for each window the number of clusters with data, and HAS_ENTRY. ``table_bits`` are the bytes that
    one L2 table of the file describes, as a power of two; a table has one or more windows. ``tables`` are the numbers
    of the L2 tables that have an entry.
    """

    def __init__(self, counts: "array[int]", window_bits: int, table_bits: int) -> None:
        self.counts = counts
        self.window_bits = window_bits
        per_table = 1 << (table_bits - window_bits)
        self.tables = array("I")
        self._before = array("Q", [0])
        for block in range(0, len(counts), _BLOCK):
            part = counts[block : block + _BLOCK]
            total = self._before[-1]
            if any(part):
                total += sum(count & COUNT for count in part)
                for at, count in enumerate(part, start=block):
                    table = at // per_table
                    if count and (not self.tables or self.tables[-1] != table):
                        self.tables.append(table)
            self._before.append(total)

    @property
    def clusters(self) -> int:
        """The number of clusters with data."""
        return self._before[-1]

    def before(self, window: int) -> int:
        """Return the number of clusters with data in all windows before ``window``."""
        block = window >> _BLOCK_BITS
        part = self.counts[block << _BLOCK_BITS : window]
        return self._before[block] + sum(count & COUNT for count in part)

    def find(self, number: int) -> tuple[int, int]:
        """Return the window that holds the cluster with data ``number`` of the file, and those before the window."""
        block = bisect_right(self._before, number) - 1
        before = self._before[block]
        window = block << _BLOCK_BITS
        while before + (self.counts[window] & COUNT) <= number:
            before += self.counts[window] & COUNT
            window += 1
        return window, before

    def tables_before(self, table: int) -> int:
        """Return how many L2 tables with entries there are before ``table``."""
        return bisect_left(self.tables, table)


def count_clusters(clusters: Clusters, size: int, cluster_bits: int, window_bits: int, table_bits: int) -> Index:
    """Return the index of all ``clusters`` of a disk of ``size`` bytes; goes through all of them once."""
    shift = window_bits - cluster_bits
    counts = array("I", bytes(4 * (-(-size >> window_bits))))
    for span in clusters.spans(0, -(-size >> cluster_bits) << cluster_bits):
        first, end = span.first, span.first + span.clusters
        while first < end:
            window = first >> shift
            stop = min(end, (window + 1) << shift)
            counts[window] = (counts[window] + (stop - first if span.is_data else 0)) | HAS_ENTRY
            first = stop
    return Index(counts, window_bits, table_bits)
