"""``glance-mini-manage images``: soft-deleted images, which can be restored (``delayed_delete``), and chains.

Policy rules and limits do not apply to these commands of an operator.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple

from glance_mini.cmd.console import Subparsers, add_command, load_configuration, positive
from glance_mini.cmd.output import Record, Rows
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.domain.image import Image
from glance_mini.notifications.opening import open_data
from glance_mini.operations.bases import ListDependents, LoadChain
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.records import DeleteFromTrash, ListTrash, LoadImage

_COLUMNS = ("id", "name", "owner", "size", "restorable_until")
_LEVEL = ("place", "id", "name", "owner", "status", "disk_format", "size", "stored_bytes")
_EXAMPLE_ID = "0d1f8a5e-5b1c-4f0b-9c5e-2f4f3c0a7b11"


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    group = commands.add_parser("images", help="soft-deleted images, and chains").add_subparsers(
        metavar="COMMAND", required=True
    )
    deleted = add_command(
        group,
        "deleted",
        _deleted,
        text="show images that can be restored, in the order of the time left",
        example="images deleted --format json",
        question=None,
    )
    deleted.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of images (1000)")
    chain = add_command(
        group,
        "chain",
        _chain,
        text="show an incremental image, its bases and the images that are based on it",
        example=f"images chain {_EXAMPLE_ID}",
        question=None,
    )
    chain.add_argument("id", metavar="ID", help="the image")
    chain.add_argument("--limit", type=positive, default=100, metavar="N", help="maximum number of images above (100)")
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


def _chain(arguments: argparse.Namespace) -> Rows:
    with _data(arguments) as data:
        images = data.run(LoadChain(arguments.id))
        above = data.run(ListDependents(arguments.id, arguments.limit))
        rows = [_level(data.run(LoadImage(each, of_deleted=True)), "based on it") for each in above]
        places = ("the image", *(f"base {number}" for number in range(1, len(images))))
        return Rows(_LEVEL, [*rows, *(_level(image, place) for image, place in zip(images, places, strict=True))])


def _level(image: Image, place: str) -> tuple[object, ...]:
    return place, image.id, image.name, image.owner, image.status, image.disk_format, image.size, image.stored_bytes


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
