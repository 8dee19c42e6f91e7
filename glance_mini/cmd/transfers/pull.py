"""``glance-mini pull``: downloads an image, and above a local disk only what differs from that."""

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

from glance_mini.cmd.progress import Report, progress
from glance_mini.cmd.transfers.cloud import Images, Values, add_arguments, connect
from glance_mini.cmd.transfers.local import local_level
from glance_mini.cmd.transfers.remote import RemoteDisk, RemoteHashes
from glance_mini.cmd.transfers.sizes import size_text
from glance_mini.content.qcow2.block_hashes import BLOCK, hash_blocks
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.header import read_header
from glance_mini.content.qcow2.overlay import ComputedHashes, Overlay
from glance_mini.content.qcow2.source import FileSource
from glance_mini.domain.errors import Invalid, Unavailable, UnsafeContent
from glance_mini_store.lanes import Chunk


def add_pull(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("image", metavar="IMAGE", help="id or name of the image")
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write; it must not exist")
    parser.add_argument(
        "--base", type=Path, metavar="LOCAL", help="a whole disk, qcow2 or raw; FILE becomes a qcow2 above it"
    )
    add_arguments(parser, argv)
    parser.set_defaults(command=pull)


def pull(arguments: argparse.Namespace) -> int:
    """Write the file, and print on standard error what was received and saved."""
    if arguments.file.exists():
        raise Invalid(reason=f"{arguments.file} exists already.")
    images = connect(arguments)
    image = images.find(arguments.image)
    size = image.get("size")
    if image["status"] != "active" or not isinstance(size, int):
        raise Invalid(reason=f"Image {image['id']} has no data: it is {image['status']}.")
    part = arguments.file.with_name(f"{arguments.file.name}.{image['id']}.part")
    if arguments.base is None:
        received = _pull_whole(images, image, size, part)
    else:
        received = _pull_above(images, str(image["id"]), arguments.base, part)
    os.rename(part, arguments.file)
    saved = max(size - received, 0)
    print(f"received {size_text(received)}, saved {size_text(saved)}", file=sys.stderr)
    return 0


def _pull_whole(images: Images, image: Values, size: int, part: Path) -> int:
    """Write the data of an image to ``part``, behind what is there already; return the bytes received."""
    with progress(f"receiving {part.name}") as report:
        received = _write(part, size, lambda offset: images.data(str(image["id"]), offset, size, {}), report)
    algorithm, expected = image.get("os_hash_algo"), image.get("os_hash_value")
    if isinstance(algorithm, str) and expected is not None and _hash(part, algorithm) != expected:
        _refuse(part)
    return received


def _pull_above(images: Images, image_id: str, base: Path, part: Path) -> int:
    """Write what of an image differs from the disk ``base`` to ``part``; return the bytes received."""
    with open(base, "rb") as file:
        below = local_level(file)
        if below.disk_format == "qcow2" and read_header(below.source).has_backing_name:
            raise Invalid(reason=f"{base} has a backing file; give a whole disk.")
        hashes = RemoteHashes(images, image_id)
        disk = RemoteDisk(images, image_id, hashes.size)
        name = os.path.join(".", os.path.relpath(base, part.parent)).encode()
        chain = Chain([Level(disk, "raw")])
        overlay = Overlay(chain, ComputedHashes(Chain([below])), hashes, name, below.disk_format.encode())
        with progress(f"comparing {base.name}") as report:
            for done in overlay.find_changes():
                report(done, hashes.size)
        with progress(f"receiving {part.name}") as report:
            _write(part, overlay.size, overlay.read, report)
        if not _is_same(part, below, hashes):
            _refuse(part)
    return disk.received


def _write(part: Path, size: int, read: Callable[[int], Iterator[Chunk]], report: Report) -> int:
    """Write the bytes from the end of ``part`` to ``size``; return how many there were to write."""
    with open(part, "ab") as file:
        start = file.tell()
        if start > size:
            start = file.truncate(0)
        for chunk in read(start):
            file.write(chunk)
            report(file.tell(), size)
        file.flush()
        os.fsync(file.fileno())
        if file.tell() != size:
            raise Unavailable(reason=f"The data ended after {file.tell()} of {size} bytes. Pull again.")
    return size - start


def _refuse(part: Path) -> NoReturn:
    part.unlink()
    raise Unavailable(reason="What arrived is not what the image has; it was removed. Pull again.")


def _hash(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _is_same(part: Path, below: Level, hashes: RemoteHashes) -> bool:
    """Return whether the whole disk has the hashes that the service has computed, wherever its bytes came from."""
    with open(part, "rb") as file:
        ours = hash_blocks(Chain([Level(FileSource(file), "qcow2"), below]))
        try:
            for number, found in groupby(merge(ours, hashes.blocks(), key=itemgetter(0)), itemgetter(0)):
                digests = [digest for _, digest in found]
                if len(digests) == 1:
                    digests.append(hashlib.sha256(bytes(min(BLOCK, hashes.size - number * BLOCK))).digest())
                if digests[0] != digests[1]:
                    return False
        except UnsafeContent:
            return False
    return True
