"""Reads the bytes that a guest would see."""

from collections.abc import Iterator

from glance_mini.content.qcow2.extents import Chain
from glance_mini_store.lanes import Chunk


def read_guest(chain: Chain, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
    """Yield the guest's bytes from ``offset`` (None: to the end), in pieces of at most 4 MiB; beyond the end: nothing.

    Raises Damaged and what the stores raise, also late.
    """
    raise NotImplementedError
