"""Watches the statements that reach a database, for tests that hold a budget."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

TRANSACTION = ("BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")


@contextmanager
def count_statements(engine: Engine, watch: Callable[[tuple[str, object]], None] | None = None) -> Iterator[list[str]]:
    """Collect the text of every statement that ``engine`` executes in the block, in any thread.

    ``watch`` is called with each text and its values. What begins and ends transactions is left out.
    """
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, values: object, *rest: object) -> None:
        if statement.partition(";")[0] not in TRANSACTION:
            found.append(statement)
            if watch is not None:
                watch((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
