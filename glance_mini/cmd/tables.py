"""How the commands print tables and times."""

from collections.abc import Iterable, Sequence
from datetime import datetime


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print ``head`` and ``rows`` on standard output, the cells of a column below each other."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def cell(value: object) -> str:
    """Return how ``value`` is shown: None as nothing, a time in UTC in whole seconds."""
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}Z"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
