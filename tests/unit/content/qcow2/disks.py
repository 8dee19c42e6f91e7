"""Disks as qemu-img makes them, in a folder of their own, and sources that count what is read of them."""

import json
import random
import shutil
import struct
import subprocess
import unittest
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import fixtures
import testtools

from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.source import LONGEST_READ, FileSource

KIB = 1024
MIB = 1024 * KIB

WITH_QEMU = unittest.skipUnless(
    shutil.which("qemu-img") and shutil.which("qemu-io"), "qemu-img or qemu-io is not installed (package qemu-utils)"
)


class CountedSource:
    """Bytes that are read by ranges; keeps the ranges and fails the test if one breaks the rules of a source."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        assert 0 < length <= LONGEST_READ, length
        assert offset >= 0 and offset + length <= self.size, (offset, length, self.size)
        self.reads.append((offset, length))
        return self._data[offset : offset + length]


class StreamedSource(CountedSource):
    """The same with streams; keeps their ranges too, and how many were closed."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.streams: list[tuple[int, int]] = []
        self.closed = 0

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        self.streams.append((offset, length))
        try:
            for start in range(offset, offset + length, 100_000):
                yield self._data[start : min(start + 100_000, offset + length)]
        finally:
            self.closed += 1


class DiskCase(testtools.TestCase):
    """A test with a folder for disks."""

    def setUp(self) -> None:
        super().setUp()
        self.home = Path(self.useFixture(fixtures.TempDir()).path)

    def qemu_img(self, *arguments: object) -> str:
        """Run qemu-img in the folder; return what it says."""
        return self._run("qemu-img", *arguments)

    def write(self, name: str, *commands: str) -> None:
        """Run commands of qemu-io on a qcow2 as its guest would: ``write -P 5 64k 4k``, ``write -z``, ``discard``."""
        self._run(
            "qemu-io", "-t", "unsafe", "-f", "qcow2", *(word for command in commands for word in ("-c", command)), name
        )

    def _run(self, *command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command], cwd=self.home, capture_output=True, text=True, check=False
        )
        self.assertEqual(0, done.returncode, f"{command}: {done.stdout} {done.stderr}")
        return done.stdout

    def create(self, name: str, base: str | None = None, size: object = None, options: str = "") -> None:
        """Make a qcow2, above ``base`` if one is named; the base is raw if its name says so."""
        backing = ["-b", base, "-F", "raw" if base.endswith(".raw") else "qcow2"] if base else []
        given = ["-o", options] if options else []
        self.qemu_img("create", "-q", "-f", "qcow2", *backing, *given, name, *([] if size is None else [size]))

    def convert(self, source: str, name: str, options: str = "", *arguments: str) -> None:
        """Make a stand-alone qcow2 of a disk."""
        options_given = ["-o", options] if options else []
        self.qemu_img(
            "convert", "-t", "unsafe", "-O", "qcow2", *options_given, *arguments, *_format(source), source, name
        )

    def guest(self, name: str) -> bytes:
        """Return what a guest sees of a disk, as qemu-img reads it."""
        self.qemu_img("convert", "-t", "unsafe", "-O", "raw", *_format(name), name, "guest.bytes")
        return (self.home / "guest.bytes").read_bytes()

    def map(self, name: str) -> list[dict[str, object]]:
        """Return what qemu-img says about the allocation of a disk."""
        found: list[dict[str, object]] = json.loads(self.qemu_img("map", "--output=json", *_format(name), name))
        return found

    def same_bytes(self, expected: bytes, found: bytes, about: object = "") -> None:
        """Fail, without printing the bytes, unless they are the same."""
        if expected != found:
            where = next((at for at, (one, other) in enumerate(zip(expected, found, strict=False)) if one != other), -1)
            self.fail(f"{about}: {len(expected)} and {len(found)} bytes differ from {where} on")

    def chain(self, *names: str) -> Chain:
        """Return a chain of files, the top first."""
        levels = [Level(self.source(name), "raw" if name.endswith(".raw") else "qcow2") for name in names]
        return Chain(levels)

    def source(self, name: str) -> FileSource:
        """Return a file as a source."""
        return FileSource(self.enterContext(open(self.home / name, "rb")))

    def counted(self, *names: str) -> tuple[Chain, list[CountedSource]]:
        """Return a chain of sources that count, and these."""
        sources = [CountedSource((self.home / name).read_bytes()) for name in names]
        formats = ["raw" if name.endswith(".raw") else "qcow2" for name in names]
        return Chain([Level(source, kind) for source, kind in zip(sources, formats, strict=True)]), sources  # type: ignore[arg-type]

    def raw(self, name: str, size: int, seed: int = 1, pieces: int = 20) -> bytes:
        """Write a raw disk with some pieces of noise and return its bytes."""
        data = noise(size, seed, pieces)
        (self.home / name).write_bytes(data)
        return data


def noise(size: int, seed: int = 1, pieces: int = 20) -> bytes:
    """Return bytes, always the same: zeros with pieces of noise and of text in them."""
    generator = random.Random(seed)
    data = bytearray(size)
    for number in range(pieces):
        start = generator.randrange(size)
        length = min(generator.randrange(1, size // pieces), size - start)
        data[start : start + length] = generator.randbytes(length) if number % 2 else (b"text " * length)[:length]
    return bytes(data)


def _format(name: str) -> list[str]:
    return ["-f", "raw" if name.endswith((".raw", ".bytes")) else "qcow2"]


def joined(chunks: Iterable[bytes | bytearray | memoryview]) -> bytes:
    """Return the bytes of ``chunks``."""
    return b"".join(chunks)


def header(
    size: int,
    bits: int = 16,
    *,
    version: int = 3,
    l1_entries: int | None = None,
    l1_offset: int | None = None,
    features: int = 0,
    name: tuple[int, int] = (0, 0),
    crypt: int = 0,
    snapshots: int = 0,
    length: int = 104,
    compression: int = 0,
) -> bytes:
    """Return the header of a qcow2 of ``size`` bytes; its L1 table is in the second cluster."""
    entries = -(-size >> (2 * bits - 3)) if l1_entries is None else l1_entries
    offset = 1 << bits if l1_offset is None else l1_offset
    data = struct.pack(">4sIQIIQ", b"QFI\xfb", version, *name, bits, size)
    data += struct.pack(">IIQQIIQ", crypt, entries, offset, 0, 0, snapshots, 0)
    return data + struct.pack(">QQQII", features, 0, 0, 4, length) + bytes([compression]) + bytes(7)


def disk_of(size: int, bits: int, l1: Sequence[int], tables: Sequence[Sequence[int]], clusters: int = 0) -> bytes:
    """Return a qcow2: header, L1 table, L2 tables, then ``clusters`` of data, each in clusters of their own."""
    cluster = 1 << bits
    parts = [header(size, bits), numbers_of(l1), *(numbers_of(table) for table in tables)]
    return b"".join(part.ljust(-(-len(part) // cluster) * cluster, b"\0") for part in parts) + b"d" * (clusters << bits)


def numbers_of(values: Sequence[int]) -> bytes:
    """Return numbers of 64 bits as the tables of a qcow2 have them."""
    return struct.pack(f">{len(values)}Q", *values)


class Scattered:
    """A qcow2 of ``size`` bytes in which every second cluster of the guest's disk lies elsewhere in the file."""

    def __init__(self, size: int) -> None:
        tables = -(-size // (512 * MIB))
        data = (2 + tables) * 64 * KIB
        count = 4096 * tables
        places = [data + (number * 1_000_003 % count) * 64 * KIB for number in range(count)]
        entries = [entry for place in places for entry in (place, 0)]
        l1 = [(2 + number) * 64 * KIB for number in range(tables)]
        self._start = disk_of(size, 16, l1, [entries[8192 * number : 8192 * (number + 1)] for number in range(tables)])
        self.size = data + count * 64 * KIB

    def read(self, offset: int, length: int) -> bytes:
        return self._start[offset : offset + length].ljust(length, b"d")
