"""A run: bytes of the guest's disk that lie together in one file."""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """How the bytes of a run are stored."""

    DATA = "data"
    COMPRESSED = "compressed"
    ZERO = "zero"


class Run(NamedTuple):
    """``length`` bytes of the guest's disk from ``start`` that one level of a chain holds; level 0 is the top.

    ``offset`` is where they lie in the file of that level. COMPRESSED: there ``packed`` bytes begin that unpack to one
    cluster, and the run begins ``skip`` bytes into it. ZERO: it reads as zeros, and ``offset`` is 0.
    """

    start: int
    length: int
    level: int
    kind: Kind
    offset: int = 0
    packed: int = 0
    skip: int = 0

    @property
    def end(self) -> int:
        """The end in the guest's disk, exclusive."""
        return self.start + self.length

    def part(self, start: int, end: int) -> "Run":
        """Return what of the run lies in the guest's bytes ``start`` to ``end``, which must be some."""
        start, end = max(start, self.start), min(end, self.start + self.length)
        moved = start - self.start
        offset = self.offset + moved if self.kind is Kind.DATA else self.offset
        skip = self.skip + moved if self.kind is Kind.COMPRESSED else 0
        return Run(start, end - start, self.level, self.kind, offset, self.packed, skip)


def clipped(runs: Iterable[Run], start: int, end: int) -> Iterator[Run]:
    """Yield what of ``runs``, which are in order, lies in the guest's bytes ``start`` to ``end``."""
    for run in runs:
        finish = run.start + run.length
        if start <= run.start and finish <= end:
            yield run
        elif finish > start and run.start < end:
            yield run.part(start, end)


def joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield ``runs``, which are in order, with those made one that follow each other in the disk and in a file."""
    last: Run | None = None
    for run in runs:
        if last is not None:
            if (
                run.kind is last.kind
                and run.level == last.level
                and run.start == last.start + last.length
                and run.kind is not Kind.COMPRESSED
                and (run.kind is Kind.ZERO or run.offset == last.offset + last.length)
            ):
                last = last._replace(length=last.length + run.length)
                continue
            yield last
        last = run
    if last is not None:
        yield last
