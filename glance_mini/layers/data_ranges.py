"""Byte ranges of a download (RFC 9110 section 14, reference 5.2)."""

from glance_mini.domain.errors import RangeNotSatisfiable


def resolve_range(first: int | None, last: int | None, size: int) -> tuple[int, int]:
    """Return offset and length in bytes of what ``first`` and ``last`` name in data of ``size`` bytes.

    Both None: everything. ``first`` None: the last ``last`` bytes. ``last`` None or beyond the end: to the end.
    Raises RangeNotSatisfiable where nothing of it exists.
    """
    if first is None and last is None:
        return 0, size
    if first is None:
        length = min(last or 0, size)
        first, last = size - length, size - 1
    end = size - 1 if last is None else min(last, size - 1)
    if first >= size or end < first:
        raise RangeNotSatisfiable(size=size)
    return first, end - first + 1
