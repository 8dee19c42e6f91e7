"""One door to the database: runs a piece of work in a read or in a transaction, and begins it anew where that helps.

What a retry can cure is told in ``faults``. The work must be repeatable: it gets a connection and keeps nothing.
"""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import RLock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from glance_mini.db.sqlalchemy import faults
from glance_mini.db.sqlalchemy.engine import is_memory

T = TypeVar("T")

Then = Callable[[Connection, Any], None]

LOST_CONNECTION_RETRIES = 3
"""A stale connection is cured by the first; a database that is down shall be told soon."""

LONGEST_PAUSE = 0.5


class Database:
    """An engine, and how often one transaction is begun anew after a conflict (``conflict_retries``)."""

    def __init__(self, engine: Engine, conflict_retries: int = 20) -> None:
        self.engine = engine
        self._conflict_retries = conflict_retries
        self._begin = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN"
        lock: AbstractContextManager[object] = RLock() if engine.dialect.name == "sqlite" else nullcontext()
        # SQLite has one writer: threads queue here, because its own waiting is polling. In memory there is one
        # connection, and a read must not look into another thread's transaction.
        self._writing = lock
        self._reading: AbstractContextManager[object] = lock if is_memory(engine.url) else nullcontext()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what ``work`` reads; each statement sees what is committed when it begins. Raises Unavailable."""

        def attempt() -> T:
            with self._reading, self.engine.connect() as connection:
                return work(connection)

        return self._repeat(attempt)

    def write(self, work: Callable[[Connection], T], then: Then | None = None) -> T:
        """Return what ``work`` returns, committed; where it raises, nothing was written.

        ``then`` gets the connection and that result inside the same transaction, as its last part.
        Raises Unavailable; where the connection was lost during the commit, the transaction may have happened.
        """

        def attempt() -> T:
            with self._writing, self.engine.connect() as connection:
                return self._transact(connection, work, then)

        return self._repeat(attempt)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _transact(self, connection: Connection, work: Callable[[Connection], T], then: Then | None) -> T:
        connection.exec_driver_sql(self._begin)
        try:
            result = work(connection)
            if then is not None:
                then(connection, result)
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.exec_driver_sql("COMMIT")
        except BaseException as error:
            _roll_back(connection)
            if faults.is_lost_connection(error):
                raise faults.unavailable(error) from error
            raise
        return result

    def _repeat(self, attempt: Callable[[], T]) -> T:
        tries = 0
        while True:
            try:
                return attempt()
            except (SQLAlchemyError, faults.DBError) as error:
                lost = faults.is_lost_connection(error)
                if not lost and not faults.is_conflict(error):
                    if isinstance(error, NoFreeConnection) or faults.is_out_of_order(error):
                        raise faults.unavailable(error) from error
                    raise
                tries += 1
                if tries > (LOST_CONNECTION_RETRIES if lost else self._conflict_retries):
                    raise faults.unavailable(error) from error
                if tries > 1 or not lost:
                    _pause(tries)


def _roll_back(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("ROLLBACK")
    except Exception:
        connection.invalidate()


def _pause(tries: int) -> None:
    time.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE, 0.005 * 2**tries))
