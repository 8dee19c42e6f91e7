"""The delta that a client sends: the changed parts of a local disk above a base of which it knows hashes only."""

import json
from collections.abc import Iterator

from glance_mini.content.qcow2.block_hashes import SMALL_BLOCK, hash_blocks
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.header import read_header
from glance_mini.content.qcow2.overlay import ComputedHashes, Overlay
from tests.unit.content.qcow2.disks import KIB, MIB, WITH_QEMU, DiskCase, joined


class KnownBase:
    """The hashes of a disk; ``asked`` are the blocks of which the parts were asked for."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.size = chain.size
        self.asked: list[int] = []

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        return hash_blocks(self._chain)

    def parts(self, block: int) -> dict[int, bytes]:
        self.asked.append(block)
        return dict(hash_blocks(self._chain, 16 * block, 16 * block + 16, SMALL_BLOCK))


@WITH_QEMU
class TestOverlay(DiskCase):
    def push(self, name: str, base: str) -> tuple[bytes, KnownBase]:
        """Make the delta of ``name`` above ``base``, check that it is the same disk; return it and what was asked."""
        hashes = KnownBase(self.chain(base))
        overlay = Overlay(self.chain(name), hashes)
        done = list(overlay.find_changes())
        self.assertEqual((done[-1], sorted(done)), (self.chain(name).size, done))
        data = joined(overlay.read())
        self.assertEqual(overlay.size, len(data))
        (self.home / "delta").write_bytes(data)
        self.assertTrue(read_header(self.source("delta")).has_backing_name)
        kind = "raw" if base.endswith(".raw") else "qcow2"
        self.qemu_img("rebase", "-u", "-f", "qcow2", "-b", base, "-F", kind, "delta")
        self.qemu_img("check", "-f", "qcow2", "delta")
        self.same_bytes(self.guest(name), self.guest("delta"))
        return data, hashes

    def test_scattered_changes_cost_what_they_are(self) -> None:
        old = bytearray(self.raw("base.raw", 16 * MIB))
        for block in range(0, 16, 2):
            old[block * MIB + 200_000 : block * MIB + 200_010] = b"changed..."
        (self.home / "disk.raw").write_bytes(old)
        self.convert("base.raw", "base")
        for name in ("disk.raw", "disk"):
            if name == "disk":
                self.convert("disk.raw", "disk", "cluster_size=4k", "-c")
            for base in ("base.raw", "base"):
                data, hashes = self.push(name, base)
                self.assertEqual((5 + 8) * 64 * KIB, len(data))
                self.assertEqual(list(range(0, 16, 2)), hashes.asked)

    def test_zeros_and_data_in_the_place_of_each_other(self) -> None:
        (self.home / "base.raw").write_bytes(b"x" * 2 * MIB + bytes(2 * MIB))
        (self.home / "disk.raw").write_bytes(bytes(2 * MIB) + b"y" * 64 * KIB + bytes(2 * MIB - 64 * KIB))
        self.push("disk.raw", "base.raw")
        self.convert("disk.raw", "disk")
        self.convert("base.raw", "base")
        data, _ = self.push("disk", "base")
        self.assertEqual((5 + 1) * 64 * KIB, len(data))

    def test_a_disk_that_has_grown_from_a_base_of_any_length(self) -> None:
        for size in (MIB, MIB + 512, MIB + 100 * KIB, 3 * MIB - 512):
            data = self.raw("base.raw", size, pieces=4)
            (self.home / "disk.raw").write_bytes(data + b"more" * 128 * 1024 + bytes(3 * MIB))
            self.push("disk.raw", "base.raw")
            (self.home / "disk.raw").write_bytes(data + bytes(3 * MIB))
            self.push("disk.raw", "base.raw")

    def test_a_delta_can_be_opened_above_a_local_file_by_its_name(self) -> None:
        data = bytearray(self.raw("base.raw", 3 * MIB))
        data[MIB : MIB + 10] = b"0123456789"
        (self.home / "disk.raw").write_bytes(data)
        disk = KnownBase(self.chain("disk.raw"))
        overlay = Overlay(self.chain("disk.raw"), ComputedHashes(self.chain("base.raw")), disk, b"base.raw", b"raw")
        list(overlay.find_changes())
        (self.home / "delta").write_bytes(joined(overlay.read()))
        self.assertEqual([1], disk.asked)
        shown = json.loads(self.qemu_img("info", "--output=json", "-f", "qcow2", "delta"))
        self.assertEqual(("base.raw", "raw"), (shown["backing-filename"], shown["backing-filename-format"]))
        self.same_bytes(bytes(data), self.guest("delta"))

    def test_the_same_disk(self) -> None:
        self.raw("base.raw", 3 * MIB + 512)
        self.convert("base.raw", "disk")
        data, hashes = self.push("disk", "base.raw")
        self.assertEqual((4 * 64 * KIB, []), (len(data), hashes.asked))
