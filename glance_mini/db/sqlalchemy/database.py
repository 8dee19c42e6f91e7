"""Access to the database: runs a piece of work in a read or a transaction, and repeats it if that may help.

``faults`` knows which errors a retry can cure. The work must be repeatable: it gets a connection and keeps no state.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from threading import RLock
from typing import TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from glance_mini.db.sqlalchemy import event_log, faults
from glance_mini.db.sqlalchemy.engine import DEADLINE, READ_TIMEOUT, is_memory
from glance_mini.domain.clock import utcnow

T = TypeVar("T")
C = TypeVar("C")

_CLOCKS = {
    "postgresql": "SELECT clock_timestamp() AT TIME ZONE 'UTC'",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
}
"""The clock of the server. SQLite uses the clock of the node."""

_BEGINS = {
    "sqlite": "BEGIN IMMEDIATE",
    # All in one round trip. Only reads have a limit of time.
    "postgresql": f"BEGIN; SET LOCAL statement_timeout = 0; {_CLOCKS['postgresql']}",
    "mysql": "BEGIN",
}

LOST_CONNECTION_RETRIES = 3
"""The first retry replaces a stale connection; a database that is down should be reported soon."""

LONGEST_PAUSE = 0.5


class Database:
    """An engine, and how often a transaction is repeated after a conflict (``conflict_retries``).

    ``keeps_log``: whether transactions store their events in the log of events.
    """

    def __init__(self, engine: Engine, conflict_retries: int = 20, *, keeps_log: bool = True) -> None:
        self.engine = engine
        self._keeps_log = keeps_log
        self._conflict_retries = conflict_retries
        lock: AbstractContextManager[object] = RLock() if engine.dialect.name == "sqlite" else nullcontext()
        # SQLite has one writer: threads wait for this lock, because SQLite itself waits by polling. A database in
        # memory has one connection, and a read must not see another thread's transaction.
        self._writing = lock
        self._reading: AbstractContextManager[object] = lock if is_memory(engine.url) else nullcontext()
        self._read_timeout: float = engine.get_execution_options().get(READ_TIMEOUT, 0)
        if engine.dialect.name == "mysql" and not event.contains(engine, "before_cursor_execute", _limit_reads):
            event.listen(engine, "before_cursor_execute", _limit_reads, retval=True)

    def read(self, query: Callable[[Connection, C], T], call: C) -> T:
        """Return the result of ``query`` for ``call``; each statement sees the data committed before it begins.

        Raises Unavailable, also if a statement takes longer than ``[database] read_timeout``.
        """

        tries = 0
        while True:
            try:
                with self._reading, self.engine.connect() as connection, _limited(connection, self._read_timeout):
                    return query(connection, call)
            except (SQLAlchemyError, faults.DBError) as error:
                tries = self._check_retry(error, tries)

    def read_now(self, query: Callable[[Connection, C, datetime], T], call: C, now: datetime | None) -> T:
        """Return the result of ``query`` for ``call`` at ``now`` (None: the server's time). Raises Unavailable."""
        return self.read(lambda connection, same: query(connection, same, now or _read_clock(connection)), call)

    def write(self, work: Callable[[Connection, datetime], T], now: datetime | None = None) -> T:
        """Return the result of ``work`` after its commit; if it raises, nothing was written.

        ``work`` gets the connection and ``now``; None means the time of the server when the transaction begins.
        Raises Unavailable; if the connection was lost during the commit, the transaction may have been committed.
        """

        tries = 0
        while True:
            try:
                with self._writing, self.engine.connect() as connection:
                    return self._transact(connection, work, now)
            except (SQLAlchemyError, faults.DBError) as error:
                tries = self._check_retry(error, tries)

    def close(self) -> None:
        """Close all connections; reads that still run keep theirs, and that of a database in memory is waited for."""
        with self._reading:
            self.engine.dispose()

    def _transact(self, connection: Connection, work: Callable[[Connection, datetime], T], now: datetime | None) -> T:
        time_of_server = _begin(connection)
        if self._keeps_log:
            event_log.begin(connection)
        try:
            result = work(connection, now or time_of_server)
        except BaseException:
            _roll_back(connection)
            raise
        try:
            event_log.commit(connection, now or time_of_server)
        except BaseException as error:
            _roll_back(connection)
            if faults.is_lost_connection(error):
                raise faults.unavailable(error) from error
            raise
        return result

    def _check_retry(self, error: Exception, tries: int) -> int:
        """Return the number of tries after a pause if another try may help; raises Unavailable or ``error``."""
        if faults.is_timeout(error):
            raise faults.too_slow(error) from error
        lost = faults.is_lost_connection(error)
        if not lost and not faults.is_conflict(error):
            if isinstance(error, NoFreeConnection) or faults.is_out_of_order(error):
                raise faults.unavailable(error) from error
            raise error
        tries += 1
        if tries > (LOST_CONNECTION_RETRIES if lost else self._conflict_retries):
            raise faults.unavailable(error) from error
        if tries > 1 or not lost:
            _pause(tries)
        return tries


@contextmanager
def _limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Limit the time of the reads in the block. PostgreSQL's limit is that of the session."""
    if not seconds or connection.dialect.name == "postgresql":
        yield
    elif connection.dialect.name == "sqlite":
        connection.info[DEADLINE] = time.monotonic() + seconds
        try:
            yield
        finally:
            connection.info[DEADLINE] = None
    else:
        connection.execution_options(**{_LIMIT: seconds})
        yield


_LIMIT = "statement_limit"
"""The execution option of a connection of MariaDB that reads: the longest time of a statement in seconds."""


def _limit_reads(
    connection: Connection, cursor: object, statement: str, parameters: object, context: object, executemany: bool
) -> tuple[str, object]:
    """Give a statement of a read its limit in the same round trip; MariaDB has no limit for reads of a session."""
    seconds = connection.get_execution_options().get(_LIMIT)
    if seconds and statement.startswith("SELECT"):
        statement = f"SET STATEMENT max_statement_time={seconds} FOR {statement}"
    return statement, parameters


def _begin(connection: Connection) -> datetime:
    """Begin a transaction and return the time of the server, UTC without a zone."""
    dialect = connection.dialect.name
    begun = connection.exec_driver_sql(_BEGINS[dialect])
    if dialect == "postgresql":
        time_of_server: datetime = begun.scalar_one()
        return time_of_server
    try:
        return _read_clock(connection)
    except BaseException:
        _roll_back(connection)
        raise


def _read_clock(connection: Connection) -> datetime:
    clock = _CLOCKS.get(connection.dialect.name)
    if clock is None:
        return utcnow()
    time_of_server: datetime = connection.exec_driver_sql(clock).scalar_one()
    return time_of_server


def _roll_back(connection: Connection) -> None:
    event_log.forget(connection)
    try:
        connection.exec_driver_sql("ROLLBACK")
    except Exception:
        connection.invalidate()


def _pause(tries: int) -> None:
    time.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE, 0.005 * 2**tries))
