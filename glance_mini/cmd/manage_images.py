"""``glance-mini-manage images``: the images that were deleted and can be restored, with ``delayed_delete``.

An operator's command: it asks no policy and no limit.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from glance_mini.cmd.console import Subparsers, configuration_arguments, load_configuration, positive
from glance_mini.conf.validation import validate
from glance_mini.db.factory import open_access
from glance_mini.db.interface import DataAccess
from glance_mini.domain.clock import utcnow
from glance_mini.domain.transfer import PendingImage

_HEAD = ("ID", "NAME", "OWNER", "SIZE", "RESTORABLE_UNTIL")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    common = configuration_arguments()
    group = commands.add_parser("images", help="deleted images").add_subparsers(metavar="COMMAND", required=True)
    deleted = group.add_parser(
        "deleted", parents=[common], help="show images that can be restored, those with the least time left first"
    )
    deleted.add_argument("--limit", type=positive, default=1000, metavar="N", help="images at most (1000)")
    deleted.set_defaults(command=_deleted)
    restore = group.add_parser("restore", parents=[common], help="bring a deleted image back to the status it had")
    restore.add_argument("id", metavar="ID", help="the image")
    restore.set_defaults(command=_restore)


def _deleted(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        rows = [_HEAD, *(_row(image) for image in data.list_pending(arguments.limit))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(image: PendingImage) -> tuple[str, ...]:
    until = f"{image.scrub_at.isoformat(timespec='seconds')}Z"
    return (image.id, image.name or "", image.owner or "", "" if image.size is None else str(image.size), until)


def _restore(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        print(data.restore_pending(arguments.id, utcnow()).status)
    return 0


@contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[DataAccess]:
    conf = load_configuration(arguments)
    validate(conf)
    access = open_access(conf)
    try:
        yield access.data
    finally:
        access.data.close()
