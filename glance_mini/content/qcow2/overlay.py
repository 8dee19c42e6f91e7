"""Makes the delta that a client sends: what a local disk changes of a base that is known by its hashes only."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Protocol

from glance_mini.content.qcow2.block_hashes import BLOCK, SMALL_BLOCK, hash_blocks
from glance_mini.content.qcow2.changed import ChangedClusters, DeltaDisk
from glance_mini.content.qcow2.extents import Chain

_BITS = 16
_PARTS = BLOCK // SMALL_BLOCK
_NAME = b"base"
"""What the delta calls its backing file. The service takes a qcow2 that names one for a delta, and blanks the name."""


class DiskHashes(Protocol):
    """The hashes of a disk, as ``hash_blocks`` makes them: what is missing reads as zeros."""

    @property
    def size(self) -> int:
        """The bytes of the disk."""

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, SHA-256) of the blocks of 1 MiB, in order."""

    def parts(self, block: int) -> dict[int, bytes]:
        """Return the SHA-256 of the parts of 64 KiB of one block, by number (block 1 begins with part 16)."""


class ComputedHashes:
    """The hashes of the disk of ``chain``, computed when they are asked for."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    @property
    def size(self) -> int:
        """The bytes of the disk."""
        return self._chain.size

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the hashes of the blocks; reads the disk once."""
        return hash_blocks(self._chain)

    def parts(self, block: int) -> dict[int, bytes]:
        """Return the hashes of the parts of one block; reads the block."""
        first = block * _PARTS
        return dict(hash_blocks(self._chain, first, first + _PARTS, SMALL_BLOCK))


class Overlay(DeltaDisk):
    """The delta of the disk of ``chain`` above ``base``; ``find_changes`` must have run.

    ``disk`` are the hashes of the disk (None: they are computed). ``size`` is what the delta will have, and ``read``
    reads it. ``name`` and ``name_format`` are what it calls its backing file and the format of that.
    """

    def __init__(
        self,
        chain: Chain,
        base: DiskHashes,
        disk: DiskHashes | None = None,
        name: bytes = _NAME,
        name_format: bytes = b"",
    ) -> None:
        self._hashes = base
        self._own = ComputedHashes(chain) if disk is None else disk
        self._found = ChangedClusters()
        super().__init__(chain, self._found, _BITS, name, name_format)

    def find_changes(self) -> Iterator[int]:
        """Compare all blocks, which reads the disk once; yield the guest's bytes that are done.

        Raises Damaged, and what the hashes raise.
        """
        disk = self._chain.size
        theirs = _Ordered(self._hashes.blocks())
        done = 0
        for number, digest in self._own.blocks():
            self._compare_with_zeros(theirs.before(number))
            if theirs.take(number, self._zeros(number, BLOCK)) != digest or self._differs_in_length(number):
                self._compare_parts(number)
            done = min(disk, (number + 1) * BLOCK)
            yield done
        self._compare_with_zeros(theirs.before(-(-disk // BLOCK)))
        if done < disk:
            yield disk

    def _compare_with_zeros(self, blocks: Iterator[tuple[int, bytes]]) -> None:
        """Compare blocks that the base has and the disk has not."""
        for number, digest in blocks:
            if digest != self._zeros(number, BLOCK) or self._differs_in_length(number):
                self._compare_parts(number)

    def _differs_in_length(self, block: int) -> bool:
        """Return whether the base ends within the block of a longer disk, so that whole hashes say nothing."""
        end = min(self._chain.size, (block + 1) * BLOCK)
        return block * BLOCK < self._hashes.size < end

    def _compare_parts(self, block: int) -> None:
        ours, theirs = self._own.parts(block), self._hashes.parts(block)
        first = block * _PARTS
        for part in range(first, min(first + _PARTS, -(-self._chain.size // SMALL_BLOCK))):
            zeros = self._zeros(part, SMALL_BLOCK)
            if ours.get(part, zeros) != theirs.get(part, zeros) or self._ends_within(part):
                self._found.add(part)

    def _ends_within(self, part: int) -> bool:
        end = min(self._chain.size, (part + 1) * SMALL_BLOCK)
        return part * SMALL_BLOCK < self._hashes.size < end

    def _zeros(self, number: int, size: int) -> bytes:
        """Return the hash of a block of zeros: the last block of a disk may be shorter."""
        return _hash_of_zeros(min(size, self._chain.size - number * size))


@cache
def _hash_of_zeros(length: int) -> bytes:
    return sha256(bytes(length)).digest()


class _Ordered:
    """Numbers with hashes, in order, taken from the front."""

    def __init__(self, hashes: Iterator[tuple[int, bytes]]) -> None:
        self._hashes = hashes
        self._next = next(hashes, None)

    def before(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Take and yield what comes before ``number``."""
        while self._next is not None and self._next[0] < number:
            found = self._next
            self._next = next(self._hashes, None)
            yield found

    def take(self, number: int, default: bytes) -> bytes:
        """Take ``number`` if it is next, and return its hash; else ``default``."""
        if self._next is None or self._next[0] != number:
            return default
        digest = self._next[1]
        self._next = next(self._hashes, None)
        return digest
