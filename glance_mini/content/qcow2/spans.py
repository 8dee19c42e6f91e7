"""The clusters of the file that is made, each with the runs that it consists of."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from glance_mini.content.qcow2.runs import Kind, Run


class Span(NamedTuple):
    """``clusters`` of the guest's disk from number ``first``, all with data or all marked as zeros.

    Several clusters have one run that covers all of them. One cluster may have several runs; between them are zeros.
    """

    first: int
    clusters: int
    is_data: bool
    runs: tuple[Run, ...]


class Clusters(Protocol):
    """The clusters that a file is made of, for parts of the guest's disk."""

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield the clusters that are not empty between the guest's bytes ``start`` and ``end``, in order.

        Both are bounds of clusters. The answer is always the same.
        """


def spans(runs: Iterable[Run], cluster_bits: int) -> Iterator[Span]:
    """Yield ``runs``, which are in order, by clusters of ``1 << cluster_bits`` bytes."""
    inside = (1 << cluster_bits) - 1
    parts: list[Run] = []
    cluster = -1
    for run in runs:
        position, end = run.start, run.start + run.length
        while position < end:
            number = position >> cluster_bits
            if parts and number != cluster:
                yield _mixed(cluster, parts)
                parts = []
            count = (end >> cluster_bits) - number
            if count and not position & inside:
                stop = (number + count) << cluster_bits
                yield Span(number, count, run.kind is not Kind.ZERO, (run.part(position, stop),))
            else:
                stop = min(end, (number + 1) << cluster_bits)
                cluster = number
                parts.append(run.part(position, stop))
            position = stop
    if parts:
        yield _mixed(cluster, parts)


def _mixed(cluster: int, parts: list[Run]) -> Span:
    return Span(cluster, 1, any(part.kind is not Kind.ZERO for part in parts), tuple(parts))
