"""The types of SQLAlchemy's values that depend on columns chosen while the program runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import CTE, ColumnElement, FromClause, Row, Select, Table

AnyColumn = ColumnElement[Any]

if TYPE_CHECKING:
    AnyCTE = CTE[Any]
    AnyFrom = FromClause[Any]
    AnyTable = Table[Any]
    AnySelect = Select[*tuple[Any, ...]]
    AnyRow = Row[*tuple[Any, ...]]
else:
    # SQLAlchemy 2.0 gives these classes other parameters than 2.1.
    AnyCTE, AnyFrom, AnyTable, AnySelect, AnyRow = CTE, FromClause, Table, Select, Row

RowValues = Sequence[Any]
"""The values of a row by position."""

Options = dict[str, Any]
"""Keyword arguments, such as those of a table for one database."""


class AnyColumns(Protocol):
    """Columns by name."""

    def __getitem__(self, name: str, /) -> AnyColumn: ...
