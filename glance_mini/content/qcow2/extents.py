"""Which bytes of which file a range of the guest's disk consists of: the merged extents of a chain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from glance_mini.content.qcow2.source import Source

CACHE_BYTES = 8 * 1024 * 1024
"""Memory for the tables of a chain, unless a chain is given another bound."""


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


@dataclass(frozen=True, slots=True)
class Level:
    """One file of a chain."""

    source: Source
    disk_format: Literal["qcow2", "raw"]


class Chain:
    """The files of a chain, the top (what the guest sees first) first and the base last; used by threads at once.

    Headers are read when they are needed (one read each), tables by pages of 64 KiB that are kept within
    ``cache_bytes``. Whatever reads raises Damaged, Unsupported, and what the stores raise.
    """

    def __init__(self, levels: Sequence[Level], cache_bytes: int = CACHE_BYTES) -> None:
        self.levels = tuple(levels)

    @property
    def size(self) -> int:
        """The bytes of the guest's disk: the virtual size of the top."""
        raise NotImplementedError

    @property
    def cluster_bits(self) -> int:
        """Those of the top; 16 if it is raw."""
        raise NotImplementedError

    def runs(self, start: int = 0, end: int | None = None, depth: int | None = None) -> Iterator[Run]:
        """Yield the runs of the guest's bytes ``start`` to ``end`` (exclusive; None: of all), in order.

        What no run covers is not allocated in any level and reads as zeros. Runs that follow each other in the disk and
        in a file are one run. With ``depth`` only the uppermost ``depth`` levels are looked at: the runs are what these
        levels changed of the level below. Memory does not depend on the size of the range.
        """
        raise NotImplementedError
