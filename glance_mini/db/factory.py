"""Opens the data access layer that the configuration names. Connections are made at first use."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from glance_mini.db.interface import DataAccess
from glance_mini.db.job_interface import JobAccess
from glance_mini.db.outbox_interface import OutboxAccess
from glance_mini.domain import errors

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Access:
    """The whole data access layer on one engine; closing ``data`` closes all."""

    data: DataAccess
    jobs: JobAccess
    outbox: OutboxAccess


def open_access(conf: "cfg.ConfigOpts") -> Access:
    """Return the data access layer on ``[database] connection``; ConfigurationError where none is named."""
    from glance_mini.db.sqlalchemy.access import SqlDataAccess
    from glance_mini.db.sqlalchemy.job_access import SqlJobAccess
    from glance_mini.db.sqlalchemy.outbox_access import SqlOutboxAccess

    data = SqlDataAccess(open_engine(conf), conflict_retries=conf.database.db_max_retries)
    jobs = SqlJobAccess(data.database, timedelta(hours=conf.task.task_time_to_live))
    return Access(data, jobs, SqlOutboxAccess(data.database))


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
