"""Checks that a chain does not hold more than its files have room for.

Tables that name one cluster again and again would make a small file a disk of any size.
"""

from collections.abc import Iterable, Iterator

from glance_mini.content.qcow2.errors import Damaged
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.level_runs import Qcow2Runs
from glance_mini.content.qcow2.runs import Kind, Run

_DEFLATE_RATIO = 1040
"""Deflate makes nothing smaller than one part in 1,032."""

_SMALLEST_PACKED = 8
"""Bytes that a compressed cluster has at least."""


def within_files(chain: Chain, runs: Iterable[Run]) -> Iterator[Run]:
    """Yield ``runs``, all those of ``chain``; raises Damaged as soon as there are more than the files can hold."""
    rooms = [_Room(chain, number) for number in range(len(chain.levels))]
    for run in runs:
        if run.kind is not Kind.ZERO:
            rooms[run.level].take(run)
        yield run


class _Room:
    """What one file can still hold."""

    def __init__(self, chain: Chain, number: int) -> None:
        self._data = self._packed = chain.levels[number].source.size
        self._last = -1
        level = chain.level(number)
        self._smallest = _SMALLEST_PACKED
        if isinstance(level, Qcow2Runs) and not level.header.is_zstd:
            self._smallest = max(_SMALLEST_PACKED, level.header.cluster_size // _DEFLATE_RATIO)

    def take(self, run: Run) -> None:
        """Count a run; the parts of one cluster that is compressed count once."""
        if run.kind is Kind.DATA:
            self._data -= run.length
            if self._data < 0:
                raise Damaged(reason="its tables name more data than the file has")
        elif run.start - run.skip != self._last:
            self._last = run.start - run.skip
            self._packed -= self._smallest
            if self._packed < 0:
                raise Damaged(reason="its tables name more compressed clusters than the file has room for")
