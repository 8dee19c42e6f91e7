"""The files of an entry of the cache, and the locks on them."""

import os
from pathlib import Path

import fixtures
import testtools

from glance_mini.cache.directory import CacheDirectory
from glance_mini.cache.entry import BLOCK, DamagedBlock

NAME, SIZE = "an-image.key", 5 * BLOCK + 7


class EntryTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = CacheDirectory(Path(self.useFixture(fixtures.TempDir()).path), 64 * BLOCK)
        self.directory.prepare()
        self.entry = self.open()

    def open(self):
        entry = self.directory.open_or_make(NAME, SIZE)
        self.addCleanup(entry.close)
        return entry

    def claim(self, first, end):
        claim = self.open().claim(first, end)
        if claim is not None:
            self.addCleanup(claim.close)
        return claim

    def test_a_new_entry_has_no_block(self):
        self.assertEqual((6, 0, 0), (self.entry.blocks, self.entry.count(), self.entry.missing(0, 6)))
        self.assertIsNone(self.entry.read(0))
        self.assertFalse(self.entry.is_verified())

    def test_a_block_is_read_as_it_was_written(self):
        first, last = os.urandom(BLOCK), os.urandom(7)
        self.entry.write(0, first)
        self.entry.write(5, last)
        self.assertEqual([first, None, last], [self.open().read(block) for block in (0, 1, 5)])
        self.assertEqual((1, 5, 2), (self.entry.missing(0, 6), self.entry.present(1, 6), self.entry.count()))

    def test_a_damaged_block_is_dropped(self):
        self.entry.write(1, bytes(BLOCK))
        path = self.directory.path / "images" / NAME / "data"
        with open(path, "r+b") as file:
            file.seek(BLOCK + 5)
            file.write(b"x")
        self.assertRaises(DamagedBlock, self.entry.read, 1)
        self.assertIsNone(self.entry.read(1))

    def test_one_claim_at_a_time_for_a_block(self):
        first = self.claim(1, 6)
        self.assertIsNone(self.claim(1, 6))
        self.assertIsNone(self.claim(4, 5))
        before = self.claim(0, 6)
        self.assertEqual((0, 1), (before.first, before.end))
        first.release(1)
        again = self.claim(1, 6)
        self.assertEqual((1, 2), (again.first, again.end))
        first.close()
        self.assertEqual((2, 6), (self.claim(2, 6).first, 6))

    def test_a_claim_ends_before_what_is_there(self):
        self.entry.write(3, bytes(BLOCK))
        self.assertEqual(3, self.claim(0, 6).end)

    def test_readers_are_seen_by_a_fill(self):
        claim = self.entry.claim(0, 6)
        self.addCleanup(claim.close)
        self.assertTrue(claim.has_readers())
        self.entry.close()
        self.assertFalse(claim.has_readers())

    def test_an_entry_in_use_is_removed_only_by_force(self):
        self.assertEqual(0, self.directory.remove([NAME]).files)
        self.assertEqual(1, self.directory.remove([NAME], is_forced=True).files)
        self.assertIsNone(self.directory.open(NAME, SIZE))
        self.entry.write(0, bytes(BLOCK))
        self.assertEqual(bytes(BLOCK), self.entry.read(0))

    def test_verified_data_is_that_which_nobody_wrote_to_since(self):
        for block in range(6):
            self.entry.write(block, bytes(self.entry.length(block)))
        self.entry.set_verified()
        self.assertTrue(self.open().is_verified())
        os.utime(self.directory.path / "images" / NAME / "data")
        self.assertFalse(self.open().is_verified())

    def test_an_entry_for_another_size_is_not_opened(self):
        self.assertIsNone(self.directory.open(NAME, SIZE + 1))

    def test_every_descriptor_is_closed(self):
        self.entry.close()
        before = len(os.listdir("/proc/self/fd"))
        entry = self.directory.open(NAME, SIZE)
        claim = entry.claim(0, 6)
        entry.reopen().close()
        os.close(entry.reopen_data())
        claim.close()
        entry.close()
        self.directory.list()
        self.directory.clean()
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))


class RoomTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = CacheDirectory(Path(self.useFixture(fixtures.TempDir()).path), 10 * BLOCK)
        self.directory.prepare()
        for name in ("a.k", "b.k"):
            self.directory.open_or_make(name, 6 * BLOCK).close()

    def test_planned_bytes_count_before_they_are_written(self):
        used = self.directory.open("a.k", 6 * BLOCK)
        self.addCleanup(used.close)
        self.assertTrue(self.directory.reserve("a.k", 6 * BLOCK))
        self.assertFalse(self.directory.reserve("b.k", 6 * BLOCK))

    def test_a_plan_ends_with_its_user(self):
        self.assertTrue(self.directory.reserve("a.k", 6 * BLOCK))
        self.assertTrue(self.directory.reserve("b.k", 6 * BLOCK))

    def test_a_damaged_total_is_measured_again(self):
        (self.directory.path / "total").write_bytes(b"?")
        self.assertTrue(self.directory.reserve("a.k", BLOCK))
