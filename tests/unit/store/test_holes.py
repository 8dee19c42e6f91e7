"""The holes of local files: what is told of them, and what is read there."""

import os

import fixtures
from testtools import TestCase

from glance_mini_store.errors import SizeMismatch
from glance_mini_store.holes import Holes
from glance_mini_store.streams import FileRange

MIB = 1024 * 1024
DATA = b"\xa5" * MIB


class TestHoles(TestCase):
    """A file of 12 MiB: hole, data from 4 to 5 MiB, hole."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).join("file")
        with open(self.path, "wb") as file:
            file.truncate(12 * MIB)
            file.seek(4 * MIB)
            file.write(DATA)
        self.file = open(self.path, "rb")  # noqa: SIM115
        self.addCleanup(self.file.close)

    def test_only_what_was_never_written_is_a_hole(self) -> None:
        holes = Holes(self.file.fileno())
        self.addCleanup(holes.close)
        table = {
            (0, 4 * MIB): True,
            (3 * MIB, MIB): True,
            (3 * MIB, MIB + 1): False,
            (4 * MIB, 1): False,
            (5 * MIB, 7 * MIB): True,
            (11 * MIB, MIB + 1): False,
            (12 * MIB, 1): False,
        }
        self.assertEqual(table, {each: holes.cover(*each) for each in table})

    def test_position_of_the_file_stays(self) -> None:
        self.file.seek(7)
        holes = Holes(self.file.fileno())
        holes.cover(0, 1)
        holes.close()
        holes.close()
        self.assertEqual((7, False), (os.lseek(self.file.fileno(), 0, os.SEEK_CUR), holes.cover(0, 1)))

    def test_content_is_that_of_the_file_in_long_blocks_of_holes(self) -> None:
        expected = bytes(4 * MIB) + DATA + bytes(7 * MIB)
        blocks = list(FileRange(self.file, 0, 12 * MIB))
        self.assertEqual(expected, b"".join(blocks))
        self.assertEqual(11, sum(len(block) == MIB for block in blocks))

    def test_range_that_begins_in_a_hole_has_the_content_of_the_file(self) -> None:
        part = b"".join(FileRange(self.file, 3 * MIB + 5, 3 * MIB))
        self.assertEqual(bytes(MIB - 5) + DATA + bytes(MIB + 5), part)

    def test_file_that_became_shorter_is_an_error_also_in_a_hole(self) -> None:
        blocks = FileRange(self.file, 0, 13 * MIB)
        self.assertRaises(SizeMismatch, list, blocks)
