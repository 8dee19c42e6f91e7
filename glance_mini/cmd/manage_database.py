"""``glance-mini-manage db``: the tables of the database, and the removal of old rows."""

import argparse
import itertools
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from oslo_config import cfg
from oslo_db.exception import DBError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from glance_mini.cmd import manage_metadefs
from glance_mini.cmd.console import FAILED, Subparsers, add_command, load_configuration
from glance_mini.cmd.output import Record
from glance_mini.cmd.progress import Report
from glance_mini.conf.database import has_database
from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy import faults, relocation, schema
from glance_mini.db.sqlalchemy.database import Database
from glance_mini.db.sqlalchemy.engine import open_engine
from glance_mini.db.sqlalchemy.images.sizes import recount
from glance_mini.db.sqlalchemy.images.store_ids import count_by_store
from glance_mini.db.sqlalchemy.reasons import explain
from glance_mini.domain.errors import ConfigurationError
from glance_mini.notifications.opening import open_data
from glance_mini.operations.records import PurgeImages

LOG = logging.getLogger(__name__)

PURGE_BATCH = 1000
"""Images removed in one transaction."""


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    group = commands.add_parser("db", help="the database").add_subparsers(metavar="COMMAND", required=True)
    text = "make or migrate the tables; may be repeated"
    add_command(group, "sync", _sync, text=text, example="db sync", question=None)
    text = "check whether the tables fit this program; the exit code is 1 if they do not"
    add_command(group, "check", _check, text=text, example="db check", question=None)
    add_command(group, "version", _version, text="show the revision of the tables", example="db version", question=None)
    text = "correct the sizes of images that nodes of an older release have changed"
    add_command(group, "recount", _recount, text=text, example="db recount", question=None)
    purge = add_command(
        group,
        "purge",
        _purge,
        text="remove images that were deleted long ago",
        example="db purge --age-in-days 30 --max-rows -1",
        question=lambda arguments: f"Remove the records of images deleted {arguments.age_in_days} days ago or earlier?",
    )
    purge.add_argument("--age-in-days", type=int, default=180, metavar="DAYS", help="days since the deletion (180)")
    purge.add_argument("--max-rows", type=int, default=100, metavar="N", help="most images to remove; -1 for all (100)")
    manage_metadefs.add_commands(group)


def migrate(conf: cfg.ConfigOpts) -> str:
    """Migrate the tables to the revision of this program and return it.

    Raises ConfigurationError, also for tables of a newer program.
    """
    with _engine(conf) as engine:
        revision = schema.sync(engine)
        _refuse(schema.check(engine))
        return revision


def relocate(conf: cfg.ConfigOpts, old: str, new: str) -> None:
    """Change the locations of data below the directory ``old``, which is at ``new`` now; raises ConfigurationError."""
    with _engine(conf) as engine:
        relocation.relocate(engine, old, new)


def find_problem(conf: cfg.ConfigOpts) -> str | None:
    """Return what is wrong with the tables, None if they fit this program; raises ConfigurationError."""
    with _engine(conf) as engine:
        return schema.check(engine)


def is_newer(conf: cfg.ConfigOpts) -> bool:
    """Return whether the tables are those of a newer program; raises ConfigurationError."""
    with _engine(conf) as engine:
        return schema.is_newer(engine)


def count_locations(conf: cfg.ConfigOpts) -> dict[str | None, int]:
    """Return how many locations name each store (None: they name no store); raises ConfigurationError."""
    with _engine(conf) as engine, engine.connect() as connection:
        return count_by_store(connection)


def require_tables(conf: cfg.ConfigOpts) -> None:
    """Check that the tables fit this program, once the database can be reached; raises ConfigurationError.

    ``max_retries`` and ``retry_interval`` say how long it waits for a database that cannot be reached.
    """
    with _engine(conf) as engine:
        _wait_until_reached(engine, conf.database.max_retries, conf.database.retry_interval)
        _refuse(schema.check(engine))


def _refuse(problem: str | None) -> None:
    if problem:
        raise ConfigurationError(reason=problem)


def _wait_until_reached(engine: Engine, retries: int, pause: float) -> None:
    for attempt in itertools.count():
        try:
            engine.connect().close()
        except (SQLAlchemyError, DBError) as error:
            is_final = faults.is_refusal(error) or faults.is_missing_database(error)
            if attempt == retries or is_final or not faults.is_lost_connection(error):
                raise
            LOG.warning("%s The next try is in %s seconds.", explain(error, engine.url), pause)
            time.sleep(pause)
        else:
            return


@contextmanager
def _engine(conf: cfg.ConfigOpts) -> Iterator[Engine]:
    if not has_database(conf):
        raise ConfigurationError(reason="This node has no database; run the command on a node of the registry.")
    engine = open_engine(conf)
    try:
        yield engine
    except (SQLAlchemyError, DBError) as error:
        raise ConfigurationError(reason=explain(error, engine.url)) from error
    finally:
        engine.dispose()


def _sync(arguments: argparse.Namespace) -> Record:
    return Record({"revision": migrate(load_configuration(arguments))})


def _check(arguments: argparse.Namespace) -> Record:
    problem = find_problem(load_configuration(arguments))
    return Record({"state": problem or "The tables fit this program."}, FAILED if problem else 0)


def _version(arguments: argparse.Namespace) -> Record:
    with _engine(load_configuration(arguments)) as engine:
        return Record({"revision": schema.version(engine) or "none"})


def _recount(arguments: argparse.Namespace) -> Record:
    with _engine(load_configuration(arguments)) as engine:
        return Record({"corrected": recount(Database(engine))})


def _purge(arguments: argparse.Namespace) -> Record:
    age = timedelta(days=arguments.age_in_days)
    with open_data(load_configuration(arguments)) as data:
        return Record({"removed": _purge_all(data, age, arguments.max_rows, arguments.report_progress)})


def _purge_all(data: DataAccess, age: timedelta, wanted: int, report_progress: Report) -> int:
    removed = 0
    while wanted < 0 or removed < wanted:
        batch = PURGE_BATCH if wanted < 0 else min(PURGE_BATCH, wanted - removed)
        count = data.run(PurgeImages(age, batch))
        removed += count
        report_progress(removed, wanted if wanted >= 0 else None)
        if count < batch:
            break
    return removed
