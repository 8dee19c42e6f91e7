"""Opens the data access layer that the configuration names. Connections are made at first use."""

from typing import TYPE_CHECKING

from glance_mini.db.interface import DataAccess
from glance_mini.domain import errors

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy import Engine


def open_data_access(conf: "cfg.ConfigOpts") -> DataAccess:
    """Return the data access on ``[database] connection``; ConfigurationError where none is named."""
    from glance_mini.db.sqlalchemy.access import SqlDataAccess

    return SqlDataAccess(open_engine(conf), conflict_retries=conf.database.db_max_retries)


def open_engine(conf: "cfg.ConfigOpts") -> "Engine":
    """Return the engine for ``[database] connection``; ConfigurationError where none is named or it makes no sense."""
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    from glance_mini.db.sqlalchemy.engine import make_engine

    options = conf.database
    if not options.connection:
        raise errors.ConfigurationError(reason="[database] connection is not set.")
    try:
        return make_engine(
            options.connection,
            pool_size=options.max_pool_size,
            max_overflow=options.max_overflow,
            pool_timeout=options.pool_timeout,
            pool_recycle=options.connection_recycle_time,
            sqlite_busy_timeout=options.sqlite_busy_timeout,
            mysql_sql_mode=options.mysql_sql_mode,
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # The text of the error may hold the address, and with it a password.
        reason = f"[database] connection names no database that can be used ({type(error).__name__})."
        raise errors.ConfigurationError(reason=reason) from None
