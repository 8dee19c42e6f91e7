"""Counts the statements that reach a database, for tests that hold a budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

TRANSACTION = ("BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")


@contextmanager
def count_statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the text of every statement that ``engine`` executes in the block, in any thread.

    The statements that begin and end transactions are left out.
    """
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement not in TRANSACTION:
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
