"""Prints tables and times for the commands."""

from collections.abc import Iterable, Sequence
from datetime import datetime


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print ``head`` and ``rows`` on standard output, in aligned columns."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def cell(value: object) -> str:
    """Return ``value`` as text: None is empty, a time is in UTC in whole seconds."""
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}Z"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
