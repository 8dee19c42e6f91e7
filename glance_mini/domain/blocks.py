"""The blocks of the disk of an image, with their hashes (api-incremental-blocks)."""

from dataclasses import dataclass

BLOCK_HASHES = "block_hashes"
"""The kind of job that computes the hashes of the blocks of a disk."""

DIGEST = 32
"""Bytes of a hash (SHA-256)."""

NOTHING = bytes(DIGEST)
"""Stands for the hash of a block that is not allocated and reads as zeros."""

PART = 4096
"""Blocks whose hashes are kept together."""

MOST_PARTS = 16_384
"""The most parts of one disk: it may have 64 TiB."""


@dataclass(frozen=True, slots=True)
class Block:
    """``length`` bytes of a disk from ``offset``; ``sha256`` in hexadecimal, None if they are not allocated."""

    offset: int
    length: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class BlockPage:
    """Blocks of ``block_size`` bytes in order; ``next_offset`` is where the next page begins, None at the end."""

    virtual_size: int
    block_size: int
    blocks: tuple[Block, ...]
    next_offset: int | None = None


@dataclass(frozen=True, slots=True)
class KnownHashes:
    """How many parts of the hashes of a disk are known, from the first one, and some of them."""

    count: int
    parts: tuple[bytes, ...] = ()


def parts_of(virtual_size: int, block_size: int) -> int:
    """Return how many parts the hashes of a disk have."""
    return -(-virtual_size // (block_size * PART))
