"""``glance-mini-manage images``: soft-deleted images, which can be restored (``delayed_delete``).

Policy rules and limits do not apply to these commands of an operator.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple

from glance_mini.bootstrap import open_data
from glance_mini.cmd.console import Subparsers, configuration_arguments, load_configuration, positive
from glance_mini.cmd.tables import cell, print_table
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.records import DeleteFromTrash, ListTrash

_HEAD = ("ID", "NAME", "OWNER", "SIZE", "RESTORABLE_UNTIL")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    common = configuration_arguments()
    group = commands.add_parser("images", help="soft-deleted images").add_subparsers(metavar="COMMAND", required=True)
    deleted = group.add_parser(
        "deleted", parents=[common], help="show images that can be restored, in the order of the time left"
    )
    deleted.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of images (1000)")
    deleted.set_defaults(command=_deleted)
    restore = group.add_parser("restore", parents=[common], help="restore a soft-deleted image to its former status")
    restore.add_argument("id", metavar="ID", help="the image")
    restore.set_defaults(command=_restore)
    scrub = group.add_parser("scrub", parents=[common], help="delete a soft-deleted image permanently, before its time")
    scrub.add_argument("id", metavar="ID", help="the image")
    scrub.set_defaults(command=_scrub)


def _deleted(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        rows = [tuple(cell(value) for value in astuple(image)) for image in data.run(ListTrash(arguments.limit))]
    print_table(_HEAD, rows)
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        print(data.run(RestoreImage(arguments.id), cause=Cause(RestoreImage.name)).status)
    return 0


def _scrub(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        print(data.run(DeleteFromTrash(arguments.id)).status)
    return 0


@contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[DataAccess]:
    conf = load_configuration(arguments)
    validate(conf)
    with open_data(conf) as data:
        yield data
