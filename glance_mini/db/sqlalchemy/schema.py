"""Creates and migrates the tables, and checks whether their version fits this program."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, inspect, text

HEAD = "0019"
"""The revision that this program works with."""

MIGRATIONS = "glance_mini.db.sqlalchemy:migrations"
"""Where Alembic finds the revisions."""

_LOCK_NUMBER = 7305148862
_LOCK_NAME = "glance_mini_schema"
_LOCK_SECONDS = 300


def version(engine: Engine) -> str | None:
    """Return the revision of the tables, None if there are no tables."""
    with engine.connect() as connection:
        return _version(connection)


def check(engine: Engine) -> str | None:
    """Return one sentence about what is wrong with the tables, None if they fit this program."""
    found = version(engine)
    if found == HEAD:
        return None
    if found is None:
        return "The database has no tables yet; run: glance-mini-manage db sync"
    if found > HEAD:
        return f"The database is at revision {found}, which is newer than this program; it knows {HEAD}."
    return f"The database is at revision {found} and must be at {HEAD}; run: glance-mini-manage db sync"


def is_newer(engine: Engine) -> bool:
    """Return whether the tables are those of a newer program."""
    found = version(engine)
    return found is not None and found > HEAD


def sync(engine: Engine) -> str:
    """Migrate the tables to ``HEAD`` and return it; may run in several processes at once, and be repeated.

    Tables of a newer program are not changed, and their revision is returned.
    """
    found = version(engine)
    if found is not None and found >= HEAD:
        return found
    with engine.connect() as connection, alone(connection):
        found = _version(connection)
        if found is None or found < HEAD:
            upgrade(connection)
        return _version(connection) or HEAD


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Run the migrations up to ``revision``, inside ``alone``."""
    # Imported here because a service with up-to-date tables never needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Let one process at a time into the block, in one transaction if the database has transactions for tables."""
    if connection.dialect.name == "mysql":
        connection.execute(text("SELECT GET_LOCK(:name, :wait)"), {"name": _LOCK_NAME, "wait": _LOCK_SECONDS})
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK_NAME})
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "BEGIN")
    try:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
