"""``glance-mini-manage images``: soft-deleted images, which can be restored (``delayed_delete``).

Policy rules and limits do not apply to these commands of an operator.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple

from glance_mini.bootstrap import open_data
from glance_mini.cmd.console import Subparsers, add_command, load_configuration, positive
from glance_mini.cmd.output import Record, Rows
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.records import DeleteFromTrash, ListTrash

_COLUMNS = ("id", "name", "owner", "size", "restorable_until")
_EXAMPLE_ID = "0d1f8a5e-5b1c-4f0b-9c5e-2f4f3c0a7b11"


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    group = commands.add_parser("images", help="soft-deleted images").add_subparsers(metavar="COMMAND", required=True)
    deleted = add_command(
        group,
        "deleted",
        _deleted,
        text="show images that can be restored, in the order of the time left",
        example="images deleted --format json",
        question=None,
    )
    deleted.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of images (1000)")
    restore = add_command(
        group,
        "restore",
        _restore,
        text="restore a soft-deleted image to its former status",
        example=f"images restore {_EXAMPLE_ID}",
        question=None,
    )
    restore.add_argument("id", metavar="ID", help="the image")
    scrub = add_command(
        group,
        "scrub",
        _scrub,
        text="delete a soft-deleted image permanently, before its time",
        example=f"images scrub {_EXAMPLE_ID}",
        question=lambda arguments: f"Delete the image {arguments.id} and its data permanently?",
    )
    scrub.add_argument("id", metavar="ID", help="the image")


def _deleted(arguments: argparse.Namespace) -> Rows:
    with _data(arguments) as data:
        return Rows(_COLUMNS, [astuple(image) for image in data.run(ListTrash(arguments.limit))])


def _restore(arguments: argparse.Namespace) -> Record:
    with _data(arguments) as data:
        return Record({"status": data.run(RestoreImage(arguments.id), cause=Cause(RestoreImage.name)).status})


def _scrub(arguments: argparse.Namespace) -> Record:
    with _data(arguments) as data:
        return Record({"status": data.run(DeleteFromTrash(arguments.id)).status})


@contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[DataAccess]:
    conf = load_configuration(arguments)
    validate(conf)
    with open_data(conf) as data:
        yield data
