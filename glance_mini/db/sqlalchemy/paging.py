"""The end of a page that has a limit of bytes."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate


def number_within(sizes: Iterable[int], max_bytes: int) -> int:
    """Return how many of the first ``sizes`` have a sum of at most ``max_bytes``, at least one."""
    return max(bisect_right(list(accumulate(sizes)), max_bytes), 1)
