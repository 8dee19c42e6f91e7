"""The engine: one pool of connections with the settings that each database needs.

Every connection is in autocommit mode, so a read costs only its statement; ``database`` begins and ends
transactions itself. This module opens no connection.
"""

import logging
import re
import sqlite3
import time
from collections.abc import Callable

from oslo_config import cfg
from oslo_db.sqlalchemy import exc_filters
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from glance_mini.db.sqlalchemy.dynamic import Options
from glance_mini.domain import errors

EXTRAS = {"sqlite": "", "postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
"""The kinds of databases in URLs, and the extra of the package that installs the driver."""

SQLITE_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY")
"""FULL in WAL mode: a power failure loses no transaction that was committed.

With NORMAL an image could be active again after its data was deleted.
"""

READ_TIMEOUT = "read_timeout"
"""The execution option of an engine for the longest time of a read in seconds; 0 means no limit."""

DEADLINE = "deadline"
"""The key in a connection's ``info`` for the time at which SQLite ends the current read, None for no limit."""

_OPERATIONS_PER_LOOK = 100_000
"""SQLite looks at the deadline after this many operations of its virtual machine, which take about 5 ms."""

IDLE_IN_TRANSACTION = 60
"""Seconds after which a server ends a transaction whose client is silent, so that a dead machine holds no locks."""

TIMEOUTS: dict[str, dict[str, int]] = {
    "postgresql": {
        "connect_timeout": 10,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    },
    "mysql": {"connect_timeout": 10, "read_timeout": 300, "write_timeout": 30},
}
"""Timeouts for a silent server, so that it does not block threads.

They are in seconds, ``tcp_user_timeout`` in milliseconds. ``read_timeout`` allows changes of large tables.
"""

MYSQL_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION group_concat_max_len = 4294967295",
    f"SET SESSION idle_transaction_timeout = {IDLE_IN_TRANSACTION}",
    "SET SESSION optimizer_switch = 'exists_to_in=off'",
)
"""READ COMMITTED takes no gap locks. MariaDB truncates JSON arrays at ``group_concat_max_len`` bytes."""


def open_engine(conf: cfg.ConfigOpts) -> Engine:
    """Return the engine for ``[database] connection``; raises ConfigurationError if it is missing or invalid."""
    options = conf.database
    if not options.connection:
        raise errors.ConfigurationError(reason="[database] connection is not set.")
    extra = EXTRAS.get(re.split("[+:]", options.connection)[0])
    try:
        if extra is None:
            raise NoSuchModuleError
        return make_engine(
            options.connection,
            pool_size=options.max_pool_size,
            max_overflow=options.max_overflow,
            pool_timeout=options.pool_timeout,
            pool_recycle=options.connection_recycle_time,
            sqlite_busy_timeout=options.sqlite_busy_timeout,
            read_timeout=options.read_timeout,
            mysql_sql_mode=options.mysql_sql_mode,
            prepared_statements=options.prepared_statements,
        )
    except (ArgumentError, NoSuchModuleError):
        # The text of the error may contain the URL, and with it a password.
        reason = "[database] connection must be a URL that begins with sqlite:///, postgresql:// or mysql+pymysql://"
        raise errors.ConfigurationError(reason=reason) from None
    except ImportError as error:
        reason = f"[database] connection needs the Python package {error.name}; run: pip install 'glance_mini[{extra}]'"
        raise errors.ConfigurationError(reason=reason) from None


def make_engine(
    connection: str,
    *,
    pool_size: int = 16,
    max_overflow: int = 48,
    pool_timeout: float = 30,
    pool_recycle: int = 3600,
    sqlite_busy_timeout: float = 30,
    read_timeout: float = 10,
    mysql_sql_mode: str = "TRADITIONAL",
    prepared_statements: bool = True,
) -> Engine:
    """Return an engine for the URL ``connection``; times in seconds. SQLite in memory has one shared connection."""
    url = with_driver(make_url(connection))
    options: Options = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    if is_memory(url):
        options["poolclass"] = StaticPool
    else:
        options |= {
            "pool_size": pool_size,
            "max_overflow": max_overflow,
            "pool_timeout": pool_timeout,
            "pool_recycle": pool_recycle,
            "pool_use_lifo": True,
        }
    backend = url.get_backend_name()
    arguments: Options = TIMEOUTS.get(backend, {"check_same_thread": False, "timeout": sqlite_busy_timeout})
    if backend == "postgresql" and not prepared_statements:
        arguments = {**arguments, "prepare_threshold": None}
    engine = create_engine(
        url,
        hide_parameters=True,
        query_cache_size=1000,
        connect_args=arguments,
        execution_options={READ_TIMEOUT: read_timeout},
        **options,
    )
    exc_filters.register_engine(engine)
    # It logs a trace of errors that it passes on, and that are reported where they are caught.
    logging.getLogger(exc_filters.__name__).setLevel(logging.CRITICAL)
    event.listen(engine, "connect", _session(backend, mysql_sql_mode, sqlite_busy_timeout, read_timeout))
    if backend == "sqlite":
        event.listen(engine, "connect", _watch_deadline)
    if backend == "postgresql":
        event.listen(engine, "after_cursor_execute", _take_last_result)
        # Several rows are one statement, as on the other databases.
        engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def is_memory(url: URL) -> bool:
    """Return whether ``url`` is an SQLite database in memory."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def with_driver(url: URL) -> URL:
    """Return ``url`` with the driver that the service uses for its kind of database."""
    match url.drivername:
        case "postgresql" | "postgres" | "postgresql+psycopg2":
            return url.set(drivername="postgresql+psycopg")
        case "mysql" | "mariadb" | "mariadb+pymysql":
            return url.set(drivername="mysql+pymysql")
    return url


def _session(
    backend: str, mysql_sql_mode: str, sqlite_busy_timeout: float, read_timeout: float
) -> Callable[[DBAPIConnection, object], None]:
    statements = {
        "sqlite": tuple(f"PRAGMA {pragma}" for pragma in SQLITE_PRAGMAS),
        # The planner's estimates trigger both, but starting either costs more than a page.
        "postgresql": (
            "SET jit = off",
            "SET max_parallel_workers_per_gather = 0",
            f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}s'",
            # Transactions lift this limit again when they begin.
            f"SET statement_timeout = {round(read_timeout * 1000)}",
        ),
        "mysql": (*MYSQL_SESSION, f"SET SESSION sql_mode = '{mysql_sql_mode}'" if mysql_sql_mode else ""),
    }[backend]

    def set_up(dbapi_connection: DBAPIConnection, record: object) -> None:
        cursor = dbapi_connection.cursor()
        for statement in filter(None, statements):
            _execute(cursor, statement, sqlite_busy_timeout)
        cursor.close()

    return set_up


def _take_last_result(
    connection: object, cursor: DBAPICursor, statement: str, parameters: object, context: object, executemany: bool
) -> None:
    """Let the result of several statements in one be that of the last."""
    while cursor.nextset():
        pass


def _watch_deadline(dbapi_connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    info: dict[str, float | None] = record.info
    info[DEADLINE] = None

    def is_over() -> bool:
        deadline = info[DEADLINE]
        return deadline is not None and time.monotonic() > deadline

    dbapi_connection.set_progress_handler(is_over, _OPERATIONS_PER_LOOK)


def _execute(cursor: DBAPICursor, statement: str, sqlite_busy_timeout: float) -> None:
    """Execute a statement; wait for SQLite, which does not wait if several processes set WAL on a new database."""
    deadline = time.monotonic() + sqlite_busy_timeout
    while True:
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return
