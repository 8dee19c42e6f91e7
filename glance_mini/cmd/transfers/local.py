"""Disks in local files."""

from typing import BinaryIO

from glance_mini.content.qcow2.extents import Level
from glance_mini.content.qcow2.header import is_qcow2
from glance_mini.content.qcow2.source import FileSource


def local_level(file: BinaryIO) -> Level:
    """Return an open file as a disk: a qcow2 if it begins as one, else raw."""
    source = FileSource(file)
    start = source.read(0, 4) if source.size >= 4 else b""
    return Level(source, "qcow2" if is_qcow2(start) else "raw")
