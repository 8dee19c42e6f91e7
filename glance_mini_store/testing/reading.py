"""Data and ranges that come back."""

from glance_mini_store import errors
from glance_mini_store.streams import close
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import KIB, MIB, new_name, pattern

SIZES = (0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * MIB)
"""Sizes in bytes of the data that is written and read in full."""

RANGE_SIZE = 3 * 64 * KIB + 17
RANGES: tuple[tuple[int, int | None], ...] = (
    (0, None),
    (0, 0),
    (0, 1),
    (0, RANGE_SIZE),
    (0, RANGE_SIZE + 1000),
    (1, None),
    (1, 1),
    (64 * KIB - 1, 2),
    (64 * KIB, 64 * KIB),
    (RANGE_SIZE - 1, None),
    (RANGE_SIZE - 1, 1),
    (RANGE_SIZE - 1, 100),
    (RANGE_SIZE, None),
    (RANGE_SIZE, 5),
)
"""Offset and length (None: to the end) of the ranges read from data of ``RANGE_SIZE`` bytes."""


class ReadingTests(DriverCase):
    """Data of many sizes and ranges, and locations that lead nowhere."""

    def test_data_of_every_size_comes_back(self) -> None:
        for size in SIZES:
            data = pattern(size)
            location = self.put(new_name(), data)
            self.assertEqual(size, self.driver.size(location))
            self.assertEqual(data, self.content(location), f"{size} bytes")

    def test_no_block_is_empty(self) -> None:
        for size in (0, 1, MIB):
            location = self.put(new_name(), pattern(size))
            self.assertNotIn(b"", [bytes(block) for block in self.driver.read(location)])

    def test_data_with_long_runs_of_zeros_comes_back(self) -> None:
        data = bytes(3 * MIB) + b"x" + bytes(MIB) + b"y" + bytes(64 * KIB)
        location = self.put(new_name(), data)
        self.assertEqual(len(data), self.driver.size(location))
        self.assertEqual(data, self.content(location))

    def test_every_range_comes_back(self) -> None:
        data = pattern(RANGE_SIZE)
        location = self.put(new_name(), data)
        for offset, length in RANGES:
            end = None if length is None else offset + length
            self.assertEqual(data[offset:end], self.content(location, offset, length), f"{offset}, {length}")

    def test_range_behind_the_end_is_invalid(self) -> None:
        location = self.put(new_name(), b"0123456789")
        for offset, length in ((11, None), (11, 1), (10_000, None)):
            with self.assertRaises(errors.InvalidRange):
                self.content(location, offset, length)

    def test_negative_range_is_invalid(self) -> None:
        location = self.put(new_name(), b"0123456789")
        for offset, length in ((-1, None), (0, -1)):
            with self.assertRaises(errors.InvalidRange):
                self.content(location, offset, length)

    def test_reader_may_stop_early(self) -> None:
        location = self.put(new_name(), pattern(3 * MIB))
        reader = self.store.read(location)
        first = next(reader)
        close(reader)
        self.assertEqual(pattern(3 * MIB)[: len(first)], first)

    def test_two_readers_do_not_disturb_each_other(self) -> None:
        data = pattern(2 * MIB + 5)
        location = self.put(new_name(), data)
        first, second = self.store.read(location), self.store.read(location, 7)
        head = next(first)
        self.assertEqual(data[7:], b"".join(second))
        self.assertEqual(data, head + b"".join(first))

    def test_unknown_location_is_not_found(self) -> None:
        self.assert_gone(self.missing_location())

    def test_foreign_location_is_refused(self) -> None:
        for location in ("foreign://somewhere/data", "no location at all", ""):
            with self.assertRaises(errors.BadStoreUri):
                self.content(location)
            with self.assertRaises(errors.BadStoreUri):
                self.driver.size(location)
