"""Reads the bytes that a guest would see."""

from collections.abc import Iterator

from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.pieces import Piece, filled
from glance_mini.content.qcow2.reading import read_pieces
from glance_mini_store.lanes import Chunk


def guest_pieces(chain: Chain, offset: int = 0, length: int | None = None, holes: bool = True) -> Iterator[Piece]:
    """Yield what the guest's bytes from ``offset`` consist of (None: to the end); beyond the end there is nothing."""
    end = chain.size if length is None else min(chain.size, offset + length)
    return filled(chain.runs(offset, end, holes=holes), offset, end)


def read_guest(chain: Chain, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
    """Yield the guest's bytes from ``offset`` (None: to the end), at most 1 MiB at once; beyond the end: nothing.

    Raises Damaged and what the stores raise, also late.
    """
    return read_pieces(chain, guest_pieces(chain, offset, length))
