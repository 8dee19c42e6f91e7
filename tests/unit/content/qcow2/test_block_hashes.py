"""Hashes of the blocks of a guest's disk, and the blocks that a level has changed."""

from hashlib import sha256

import testtools

from glance_mini.content.qcow2.block_hashes import BLOCK, SMALL_BLOCK, allocated_blocks, hash_blocks
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini_store.errors import RemoteServiceUnavailable
from tests.unit.content.qcow2.disks import KIB, MIB, WITH_QEMU, CountedSource, DiskCase, Scattered, disk_of

SIZE = 5 * MIB + 100 * KIB


def expected(data: bytes, size: int) -> dict[int, bytes]:
    return {start // size: sha256(data[start : start + size]).digest() for start in range(0, len(data), size)}


class Broken:
    """A source that cannot be read any more."""

    size = 4 * MIB

    def read(self, offset: int, length: int) -> bytes:
        raise RemoteServiceUnavailable(reason="gone")


@WITH_QEMU
class TestHashes(DiskCase):
    def make(self) -> tuple[Chain, bytes]:
        self.raw("disk.raw", SIZE, pieces=9)
        self.convert("disk.raw", "base", "cluster_size=4k", "-c")
        self.create("top", "base")
        self.write("top", "write -P 5 1020k 10k", "write -z 3M 64k")
        return self.chain("top", "base"), self.guest("top")

    def test_blocks_of_both_sizes_and_what_is_missing_is_zero(self) -> None:
        chain, guest = self.make()
        for size in (BLOCK, SMALL_BLOCK):
            found = dict(hash_blocks(chain, size=size))
            for number, digest in expected(guest, size).items():
                length = len(guest[number * size : (number + 1) * size])
                self.assertEqual(digest, found.get(number, sha256(bytes(length)).digest()), number)
            self.assertLess(len(found), len(expected(guest, size)) + (size == BLOCK))
            for threads in (1, 3):
                self.assertEqual(list(found.items()), list(hash_blocks(chain, size=size, threads=threads)))

    def test_hashing_goes_on_where_it_stopped(self) -> None:
        chain, _ = self.make()
        every = list(hash_blocks(chain, size=SMALL_BLOCK))
        for at in range(0, len(every), 7):
            number = every[at][0]
            self.assertEqual(every[at + 1 :], list(hash_blocks(chain, number + 1, size=SMALL_BLOCK)))
            self.assertEqual(every[:at], list(hash_blocks(chain, end=number, size=SMALL_BLOCK)))

    def test_the_parts_of_a_block(self) -> None:
        chain, guest = self.make()
        block = guest[MIB : 2 * MIB]
        found = dict(hash_blocks(chain, 16, 32, SMALL_BLOCK))
        for part in range(16):
            data = block[part * SMALL_BLOCK : (part + 1) * SMALL_BLOCK]
            self.assertEqual(sha256(data).digest(), found.get(16 + part, sha256(bytes(SMALL_BLOCK)).digest()))

    def test_holes_of_a_raw_base_are_neither_read_nor_listed(self) -> None:
        with open(self.home / "base.raw", "wb") as file:
            file.truncate(64 * MIB)
            file.seek(32 * MIB + 5)
            file.write(b"x" * 100)
        chain = self.chain("base.raw")
        self.assertEqual([32], [number for number, _ in hash_blocks(chain)])
        self.assertEqual([(32 * MIB, MIB)], list(allocated_blocks(chain)))

    def test_what_a_store_raises_comes_from_threads_too(self) -> None:
        self.assertRaises(RemoteServiceUnavailable, list, hash_blocks(Chain([Level(Broken(), "raw")]), threads=2))

    def test_changes_since_each_level_of_a_chain(self) -> None:
        self.raw("base.raw", 8 * MIB)
        self.create("middle", "base.raw")
        self.write("middle", "write -P 5 1M 4k", "write -P 6 1500k 4k", "write -P 5 2M 4k")
        self.create("top", "middle", 9 * MIB + 512)
        self.write("top", "write -z 4M 64k", "write -P 5 9M 512")
        chain = self.chain("top", "middle", "base.raw")
        self.assertEqual([], list(allocated_blocks(chain, depth=0)))
        since_middle = [(4 * MIB, MIB), (9 * MIB, 512)]
        self.assertEqual(since_middle, list(allocated_blocks(chain, depth=1)))
        self.assertEqual([(MIB, 2 * MIB), *since_middle], list(allocated_blocks(chain, depth=2)))
        self.assertEqual([(2 * MIB, MIB)], list(allocated_blocks(chain, 2 * MIB, 4 * MIB, depth=2)))

    def test_every_byte_that_differs_lies_in_a_changed_block(self) -> None:
        before = self.raw("base.raw", 8 * MIB)
        self.create("top", "base.raw")
        self.write("top", "write -P 1 100k 4k", "write -P 2 5000k 300k", "write -z 7M 1M")
        after = self.guest("top")
        changed = set()
        for start, length in allocated_blocks(self.chain("top", "base.raw"), depth=1, size=SMALL_BLOCK):
            changed |= set(range(start // SMALL_BLOCK, (start + length) // SMALL_BLOCK))
        differing = {
            start // SMALL_BLOCK
            for start in range(0, len(after), SMALL_BLOCK)
            if before[start : start + SMALL_BLOCK] != after[start : start + SMALL_BLOCK]
        }
        self.assertNotEqual(set(), differing)
        self.assertEqual(set(), differing - changed)


class TestReads(testtools.TestCase):
    def test_blocks_without_data_are_not_read(self) -> None:
        entries = [0] * 8192
        entries[5000] = 3 * 64 * KIB
        source = CountedSource(disk_of(512 * MIB, 16, [2 * 64 * KIB], [entries], clusters=1))
        found = list(hash_blocks(Chain([Level(source, "qcow2")])))
        self.assertEqual([5000 // 16], [number for number, _ in found])
        self.assertEqual(4, len(source.reads))

    def test_a_list_reads_the_tables_of_what_is_taken_of_it(self) -> None:
        source = CountedSource(Scattered(64 * 512 * MIB).read(0, 66 * 64 * KIB) + bytes(64 * KIB))
        source.size = 1 << 40
        first = next(allocated_blocks(Chain([Level(source, "qcow2")]), 0, 4 * MIB))
        self.assertEqual((0, 4 * MIB), first)
        self.assertLessEqual(len(source.reads), 3)
