"""Makes the delta that turns another base into the same disk (format-incremental-rebase)."""

from collections.abc import Iterator

from glance_mini.content.qcow2.extents import Chain
from glance_mini_store.lanes import Chunk


class Comparison:
    """Finds the clusters in which the disk of ``chain`` differs from that of ``base``.

    ``step`` compares a further part (256 MiB of the guest's disk) and returns the guest's bytes done; ``is_done`` tells
    the end. ``checkpoint`` returns bytes from which a later Comparison of the same chain and base goes on.
    """

    def __init__(self, chain: Chain, base: Chain, checkpoint: bytes | None = None) -> None:
        self.is_done = False
        raise NotImplementedError

    def step(self) -> int:
        """Compare a further part; return how many bytes of the guest's disk are done."""
        raise NotImplementedError

    def checkpoint(self) -> bytes:
        """Return the state, compressed."""
        raise NotImplementedError


class RebasedDelta:
    """A qcow2 that names no backing file and holds what ``comparison``, which is done, has found.

    ``size``, ``read`` are those of CompleteDisk: deterministic, so that a transfer may begin again at any offset.
    """

    def __init__(self, comparison: Comparison) -> None:
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The bytes of the file."""
        raise NotImplementedError

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """Yield the bytes from ``offset`` (None: to the end)."""
        raise NotImplementedError
