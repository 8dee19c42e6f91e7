"""The tables of a database for tests: made by the migrations once in a process, and copied from then on."""

import sqlite3
from functools import cache

from sqlalchemy import Connection, Engine

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.engine import make_engine


def make_tables(engine: Engine) -> None:
    """Make the tables in an empty database as ``schema.sync`` does, but in no time on SQLite."""
    if engine.dialect.name != "sqlite":
        schema.sync(engine)
        return
    with engine.connect() as connection:
        _model().backup(_sqlite(connection))


@cache
def _model() -> sqlite3.Connection:
    """Return a database with tables and without rows; the engine is kept by its one connection."""
    engine = make_engine("sqlite://")
    schema.sync(engine)
    return _sqlite(engine.connect())


def _sqlite(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
