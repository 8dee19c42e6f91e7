"""Prints the result of a command on standard output: as a table for people, as JSON or as CSV for programs."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

FORMATS = ("table", "json", "csv")


@dataclass(frozen=True)
class Rows:
    """Any number of things of one kind, each with a value for each of ``columns``, which are names in snake case."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    exit_code: int = 0


@dataclass(frozen=True)
class Record:
    """One thing: its values by name.

    A table shows a single value alone, a tuple line by line; of several values a tuple of mappings line by line.
    """

    values: Mapping[str, object]
    exit_code: int = 0


Result = Rows | Record
"""The result of a command, with its exit code."""


def print_result(result: Result, form: str) -> None:
    """Print ``result`` in ``form``, one of ``FORMATS``. Times are in UTC."""
    if form == "json":
        json.dump(_for_json(result), sys.stdout, indent=2, ensure_ascii=False, default=_plain)
        print()
    elif form == "csv":
        columns, rows = _as_rows(result)
        csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *(map(_csv_cell, row) for row in rows)])
    elif isinstance(result, Rows):
        _print_table(result.columns, result.rows)
    elif len(result.values) == 1:
        [value] = result.values.values()
        print(*map(_table_cell, value if isinstance(value, tuple) else (value,)), sep="\n")
    elif result.values:
        lines = [(name, each) for name, value in result.values.items() for each in _lines(value)]
        _print_table(("field", "value"), lines)


def _as_rows(result: Result) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    if isinstance(result, Rows):
        return result.columns, result.rows
    return tuple(result.values), [tuple(result.values.values())]


def _for_json(result: Result) -> object:
    if isinstance(result, Record):
        return result.values
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _plain(value: object) -> str:
    return f"{value.isoformat(timespec='seconds')}Z" if isinstance(value, datetime) else str(value)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = [[name.upper() for name in columns], *([_table_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _lines(value: object) -> Sequence[object]:
    return value if isinstance(value, tuple) and value and isinstance(value[0], Mapping) else (value,)


def _csv_cell(value: object) -> str:
    if isinstance(value, Mapping) or _lines(value) is value:
        return json.dumps(value, default=_plain)
    return _text(value)


def _table_cell(value: object) -> str:
    # A name that a user chose must not control the terminal.
    return "".join(character if character.isprintable() else "?" for character in _text(value))


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name}: {_text(each)}" for name, each in value.items())
        case tuple():
            return ",".join(map(_text, value))
    return _plain(value)
