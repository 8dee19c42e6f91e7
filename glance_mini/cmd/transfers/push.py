"""``glance-mini push``: uploads a disk, and of a disk that has a base in the service only what differs."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from glance_mini.cmd.progress import Report, progress
from glance_mini.cmd.transfers.cloud import Images, add_arguments, connect
from glance_mini.cmd.transfers.local import local_level
from glance_mini.cmd.transfers.remote import RemoteHashes
from glance_mini.cmd.transfers.sizes import size_text
from glance_mini.cmd.transfers.uploading import Source, send
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.header import read_header
from glance_mini.content.qcow2.overlay import Overlay
from glance_mini.content.qcow2.source import FileSource
from glance_mini.domain.errors import Invalid
from glance_mini_store.lanes import Chunk


def add_push(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a disk: qcow2 or raw")
    parser.add_argument("--base", metavar="IMAGE", help="id or name of the image that the disk was made from")
    parser.add_argument("--name", help="the name of the new image (that of the file)")
    parser.add_argument(
        "--image", metavar="ID", help="a queued image that gets the data, such as that of a failed push"
    )
    add_arguments(parser, argv)
    parser.set_defaults(command=push)


def push(arguments: argparse.Namespace) -> int:
    """Upload the file, print the id of the image, and on standard error what was read, sent and saved."""
    images = connect(arguments)
    base = str(images.find(arguments.base)["id"]) if arguments.base else None
    with open(arguments.file, "rb") as file, progress(f"reading {arguments.file.name}") as report:
        level = local_level(file)
        data = _data(images, level, file, base, report)
        image_id = arguments.image or _create(images, arguments.name or arguments.file.stem, level, base)
        marks = (arguments.file.name, level.source.size, arguments.file.stat().st_mtime_ns, base)
        with progress(f"sending {arguments.file.name}") as report_sent:
            source = Source(data.size, data.read, marks, report_sent)
            send(images, image_id, source)
    read = level.source.size
    saved = max(read - source.sent, 0)
    print(f"read {size_text(read)}, sent {size_text(source.sent)}, saved {size_text(saved)}", file=sys.stderr)
    print(image_id)
    return 0


class _Data(Protocol):
    """What is sent."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def read(self, offset: int = 0) -> Iterator[Chunk]:
        """Yield them from ``offset``."""


class _WholeFile:
    """A file as it is."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size

    def read(self, offset: int = 0) -> Iterator[Chunk]:
        """Yield the bytes of the file from ``offset``."""
        self._file.seek(offset)
        while chunk := self._file.read(1024 * 1024):
            yield chunk


def _data(images: Images, level: Level, file: BinaryIO, base: str | None, report: Report) -> _Data:
    """Return what is to be sent: the file as it is, or its difference from the base."""
    assert isinstance(level.source, FileSource)
    whole = _WholeFile(file, level.source.size)
    if level.disk_format == "qcow2" and read_header(level.source).has_backing_name:
        if base is None:
            raise Invalid(reason="The file names a backing file; give its image by --base.")
        return whole
    if base is None:
        return whole
    chain = Chain([level])
    overlay = _Overlay(chain, RemoteHashes(images, base))
    if overlay.base_size > chain.size:
        raise Invalid(reason=f"The disk has {chain.size} bytes and that of the base {overlay.base_size}.")
    for done in overlay.find_changes():
        report(done, chain.size)
    return overlay


class _Overlay(Overlay):
    """The difference from an image of the service."""

    def __init__(self, chain: Chain, base: RemoteHashes) -> None:
        super().__init__(chain, base)
        self.base_size = base.size


def _create(images: Images, name: str, level: Level, base: str | None) -> str:
    values = {"name": name, "container_format": "bare", "disk_format": "qcow2" if base else level.disk_format}
    return images.create(values | ({"os_base_image": base} if base else {}))
