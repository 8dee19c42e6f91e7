"""Opens a Glance database: for reading in one read-only transaction, or for filling in one transaction."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from glance_mini.db.sqlalchemy import reasons
from glance_mini.db.sqlalchemy.dynamic import AnyTable, Options
from glance_mini.db.sqlalchemy.engine import EXTRAS, TIMEOUTS, with_driver
from glance_mini.domain.errors import ConfigurationError
from glance_mini.migration import glance_tables

LONGEST_SILENCE = 300
"""Seconds for which MariaDB may be silent while it sends a page."""

_SNAPSHOT = {
    "sqlite": ("BEGIN",),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}
_WRITE = {"sqlite": ("BEGIN IMMEDIATE",), "postgresql": ("BEGIN",), "mysql": ("START TRANSACTION",)}


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Yield a connection that sees one state of the database and can change nothing.

    Raises ConfigurationError for a database that cannot be reached or has not the tables of Glance.
    """
    with _transaction(url, _SNAPSHOT, is_read_only=True) as connection:
        yield connection


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """Yield a connection whose changes are kept only if the block ends well; errors as for ``reading``."""
    with _transaction(url, _WRITE, is_read_only=False) as connection:
        yield connection


@contextmanager
def _transaction(url: str, begin: Mapping[str, tuple[str, ...]], *, is_read_only: bool) -> Iterator[Connection]:
    engine = _open(url, is_read_only=is_read_only)
    try:
        with engine.connect() as connection:
            _check_tables(connection)
            for statement in begin[engine.dialect.name]:
                connection.exec_driver_sql(statement)
            try:
                yield connection
            except BaseException:
                with suppress(SQLAlchemyError):
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
    except SQLAlchemyError as error:
        raise ConfigurationError(reason=f"The Glance database: {reasons.explain(error, engine.url)}") from error
    finally:
        engine.dispose()


def _open(text: str, *, is_read_only: bool) -> Engine:
    extra = EXTRAS.get(text.partition(":")[0].partition("+")[0])
    try:
        if extra is None:
            raise NoSuchModuleError
        url = with_driver(make_url(text))
        backend = url.get_backend_name()
        options: Options = dict(TIMEOUTS.get(backend, {}))
        if backend == "sqlite":
            return _open_file(url, is_read_only=is_read_only)
        return create_engine(
            url, hide_parameters=True, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options
        )
    except (ArgumentError, NoSuchModuleError):
        # The text of the error may contain the URL, and with it a password.
        reason = "[database] connection of Glance is not a URL of SQLite, PostgreSQL or MySQL."
        raise ConfigurationError(reason=reason) from None
    except ImportError as error:
        reason = f"The Glance database needs the Python package {error.name}; run: pip install 'glance_mini[{extra}]'"
        raise ConfigurationError(reason=reason) from None


def _open_file(url: URL, *, is_read_only: bool) -> Engine:
    path = Path(url.database or "").absolute()
    mode = "ro" if is_read_only else "rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=30)
        connection.isolation_level = None
        return connection

    return create_engine(url, hide_parameters=True, poolclass=NullPool, isolation_level="AUTOCOMMIT", creator=connect)


def _check_tables(connection: Connection) -> None:
    inspector = inspect(connection)
    for table in glance_tables.metadata.sorted_tables:
        if not inspector.has_table(table.name):
            raise ConfigurationError(reason=f"The Glance database has no table {table.name}. {_ADVICE}")
        if missing := _missing(table, {column["name"] for column in inspector.get_columns(table.name)}):
            reason = f"The table {table.name} of the Glance database has no {', '.join(missing)}. {_ADVICE}"
            raise ConfigurationError(reason=reason)


_ADVICE = "It must have the tables of release 31 or later: run `glance-manage db sync` of that release."


def _missing(table: AnyTable, present: set[str]) -> list[str]:
    return sorted({column.name for column in table.columns} - present)
