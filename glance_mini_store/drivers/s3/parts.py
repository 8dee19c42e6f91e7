"""How large the parts of an object are, and how many of them an upload holds."""

MIB = 1024 * 1024
GIB = 1024 * MIB

SMALLEST_PART = 5 * MIB
"""Bytes; only the last part of an object may be smaller."""

LARGEST_PART = 5 * GIB
MOST_PARTS = 10_000
LARGEST_OBJECT = 5 * 1024 * GIB
"""The limits of the S3 API; sizes in bytes."""

MEMORY = 32 * MIB
"""The most bytes of parts that an upload holds in memory, if the budget lends it so much."""

_EQUAL_PARTS = 4_000
_GROWTH = 1_050
"""Later parts have this fraction of the bytes before them, so that 10,000 parts reach the largest object."""


def part_size(offset: int, smallest: int, size: int | None) -> int:
    """Return the bytes of the part that begins at ``offset``.

    ``smallest`` is the configured size, ``size`` that of the object (None: unknown). Parts of an object of known size
    are equal. Those of an unknown size are small while the object is: the first 4,000 have the smallest size.
    """
    if size is not None:
        return max(smallest, _whole_mib(-(-size // MOST_PARTS)))
    if offset < _EQUAL_PARTS * smallest:
        return smallest
    return min(LARGEST_PART, max(smallest, _whole_mib(offset // _GROWTH)))


def is_in_memory(part: int) -> bool:
    """Return whether a part of ``part`` bytes is held in memory; a larger one is kept in a temporary file."""
    return 2 * part <= MEMORY


def held_parts(part: int, threads: int) -> int:
    """Return how many parts of ``part`` bytes an upload holds: one that is filled, and at most ``threads`` sent."""
    return max(2, min(threads + 1, MEMORY // part))


def _whole_mib(size: int) -> int:
    return -(-size // MIB) * MIB
