"""Inserts a row that two transactions may insert at the same time."""

from collections.abc import Mapping

from sqlalchemy import Connection, Insert, insert
from sqlalchemy.dialects import postgresql

from glance_mini.db.sqlalchemy.dynamic import AnyTable


def insert_missing(connection: Connection, table: AnyTable, row: Mapping[str, object]) -> bool:
    """Insert ``row`` unless one with its key exists, also one that another transaction has just inserted.

    Return whether it was inserted.
    """
    statement: Insert = (
        postgresql.insert(table).on_conflict_do_nothing()
        if connection.dialect.name == "postgresql"
        else insert(table).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
    )
    # Otherwise the number of inserted rows is not kept.
    return connection.execute(statement.execution_options(preserve_rowcount=True), row).rowcount > 0
