"""SHA-256 of the blocks of a guest's disk, and which blocks a level has changed (format-incremental-blocks)."""

from collections.abc import Iterator

from glance_mini.content.qcow2.extents import Chain

BLOCK = 1024 * 1024
"""Bytes of a block; the last one of a disk may be shorter."""

SMALL_BLOCK = 64 * 1024
"""Bytes of the parts of a block."""


def hash_blocks(chain: Chain, first: int = 0, end: int | None = None, size: int = BLOCK) -> Iterator[tuple[int, bytes]]:
    """Yield (number, SHA-256) of the blocks ``first`` to ``end`` (exclusive; None: all) that are allocated, in order.

    A block has ``size`` bytes. What is not yielded reads as zeros. To go on after an interruption, begin with the number
    after the last. Use ``size=SMALL_BLOCK`` and the sixteen numbers of a block for its parts.
    """
    raise NotImplementedError


def allocated_blocks(chain: Chain, start: int = 0, end: int | None = None, depth: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of the ranges of the guest's disk that are allocated, in whole blocks of BLOCK, joined.

    Of the bytes ``start`` to ``end`` (None: all). With ``depth`` only what the uppermost ``depth`` levels hold: the
    difference to the disk of the level at that place, zeros that hide data among it. Lazy: a page takes what it needs.
    """
    raise NotImplementedError
