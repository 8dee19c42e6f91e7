"""Inserts a row that two transactions may insert at the same time."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert
from sqlalchemy.dialects import postgresql

from glance_mini.db.sqlalchemy.dynamic import AnyTable


def insert_missing(connection: Connection, table: AnyTable, row: Mapping[str, object]) -> bool:
    """Insert ``row`` unless one with its key exists, also one that another transaction has just inserted.

    Return whether it was inserted.
    """
    if connection.dialect.name == "postgresql":
        inserted = connection.execute(postgresql.insert(table).on_conflict_do_nothing(), row)
    else:
        ignoring = insert(table).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
        inserted = connection.execute(ignoring, row)
    return inserted.rowcount > 0
