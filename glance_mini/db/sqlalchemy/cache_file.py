"""A file of SQLite with only what one node records about its cache; it is made anew rather than migrated."""

from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.schema import CreateTable

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.models import cache_queue, cached_images

_TABLES = (cached_images, cache_queue)
_FORM = 1
"""The number of the form of the tables; it is raised when they change."""


def open_cache_file(path: Path) -> SqlDataAccess:
    """Return the access to the file ``path``, which answers the calls on the records and the queue of a cache.

    A file that is damaged, or of another form, is replaced by an empty one. Raises OSError.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    engine = make_engine(f"sqlite:///{path}", pool_size=2, max_overflow=8)
    try:
        _prepare(engine)
    except DatabaseError:
        engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        _prepare(engine)
    return SqlDataAccess(engine)


def _prepare(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            if _form(connection) != _FORM:
                for table in _TABLES:
                    connection.execute(text(f"DROP TABLE IF EXISTS {table.name}"))
                connection.exec_driver_sql(f"PRAGMA user_version = {_FORM}")
            for table in _TABLES:
                connection.execute(CreateTable(table, if_not_exists=True))
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def _form(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
