"""``glance-mini-manage backup`` and ``restore``: a state directory in one file."""

import argparse
from pathlib import Path

from glance_mini import conf as configuration
from glance_mini.cmd.console import Subparsers, add_command, find_source
from glance_mini.cmd.output import Record
from glance_mini.conf.database import sqlite_file
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.backup import restore_backup, write_backup


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    backup = add_command(
        commands,
        "backup",
        _backup,
        text="write a state directory to a file, also while the service runs",
        example="backup --images /backup/glance-mini.tar",
        question=None,
        description="Write the database, the configuration, the users and clouds.yaml of the state directory to a tar "
        "file, also while the service runs. It prints the data files that are missing or outside of the directory. The "
        "file holds secrets; only you can read it.",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="the file to write; an existing one is replaced")
    backup.add_argument("--images", action="store_true", help="also the data of all images")
    restore = add_command(
        commands,
        "restore",
        _restore,
        text="make a state directory from a backup",
        example="restore /backup/glance-mini.tar /srv/glance-mini",
        question=None,
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    restore.add_argument("directory", type=Path, metavar="DIR", help="the state directory; empty, or not there yet")


def _backup(arguments: argparse.Namespace) -> Record:
    source = find_source(arguments)
    if source.state is None:
        raise ConfigurationError(reason="A backup is of a state directory; name it by --state.")
    conf = configuration.load(files=source.existing_files())
    database = sqlite_file(conf.database.connection)
    if database is None:
        raise ConfigurationError(reason="Only SQLite is saved by this command; use the tools of your database server.")
    left_out = write_backup(source.state.path, database.absolute(), arguments.file, with_images=arguments.images)
    return Record({"left_out": tuple(map(str, left_out))})


def _restore(arguments: argparse.Namespace) -> Record:
    state = arguments.directory.absolute()
    restore_backup(arguments.file, state)
    return Record({"state_directory": str(state)})
