"""``glance-mini-manage db``: the tables of the database, and the removal of old rows."""

import argparse
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from oslo_config import cfg
from oslo_db.exception import DBError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from glance_mini.bootstrap import open_data
from glance_mini.cmd.console import FAILED, Subparsers, configuration_arguments, load_configuration
from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy import faults, schema
from glance_mini.db.sqlalchemy.database import Database
from glance_mini.db.sqlalchemy.engine import open_engine
from glance_mini.db.sqlalchemy.images.sizes import recount
from glance_mini.db.sqlalchemy.reasons import explain
from glance_mini.domain.errors import ConfigurationError
from glance_mini.operations.records import PurgeImages

LOG = logging.getLogger(__name__)

PURGE_BATCH = 1000
"""Images removed in one transaction."""


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    common = configuration_arguments()
    group = commands.add_parser("db", help="the database").add_subparsers(metavar="COMMAND", required=True)
    _add(group, "sync", _sync, "make or migrate the tables; may be repeated")
    _add(group, "check", _check, "check whether the tables fit this program; the exit code is 1 if they do not")
    _add(group, "version", _version, "show the revision of the tables")
    _add(group, "recount", _recount, "correct the sizes of images that nodes of an older release have changed")
    purge = group.add_parser("purge", parents=[common], help="remove images that were deleted long ago")
    purge.add_argument("--age-in-days", type=int, default=180, metavar="DAYS", help="days since the deletion (180)")
    purge.add_argument("--max-rows", type=int, default=100, metavar="N", help="most images to remove; -1 for all (100)")
    purge.set_defaults(command=_purge)


def _add(group: Subparsers, name: str, command: Callable[[argparse.Namespace], int], text: str) -> None:
    group.add_parser(name, parents=[configuration_arguments()], help=text).set_defaults(command=command)


def migrate(conf: cfg.ConfigOpts) -> str:
    """Migrate the tables to the revision of this program and return it.

    Raises ConfigurationError, also for tables of a newer program.
    """
    with _engine(conf) as engine:
        revision = schema.sync(engine)
        _refuse(schema.check(engine))
        return revision


def find_problem(conf: cfg.ConfigOpts) -> str | None:
    """Return what is wrong with the tables, None if they fit this program; raises ConfigurationError."""
    with _engine(conf) as engine:
        return schema.check(engine)


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
    engine = open_engine(conf)
    try:
        yield engine
    except (SQLAlchemyError, DBError) as error:
        raise ConfigurationError(reason=explain(error, engine.url)) from error
    finally:
        engine.dispose()


def _sync(arguments: argparse.Namespace) -> int:
    print(migrate(load_configuration(arguments)))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    problem = find_problem(load_configuration(arguments))
    print(problem or "The tables fit this program.")
    return FAILED if problem else 0


def _version(arguments: argparse.Namespace) -> int:
    with _engine(load_configuration(arguments)) as engine:
        print(schema.version(engine) or "none")
    return 0


def _recount(arguments: argparse.Namespace) -> int:
    with _engine(load_configuration(arguments)) as engine:
        print(recount(Database(engine)))
    return 0


def _purge(arguments: argparse.Namespace) -> int:
    with open_data(load_configuration(arguments)) as data:
        print(_purge_all(data, timedelta(days=arguments.age_in_days), arguments.max_rows))
    return 0


def _purge_all(data: DataAccess, age: timedelta, wanted: int) -> int:
    removed = 0
    while wanted < 0 or removed < wanted:
        batch = PURGE_BATCH if wanted < 0 else min(PURGE_BATCH, wanted - removed)
        count = data.run(PurgeImages(age, batch))
        removed += count
        if count < batch:
            break
    return removed
