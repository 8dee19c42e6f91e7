"""Data stored in several places: what one cannot give the next one gives, from the offset that was reached."""

import tempfile
from typing import Any

import testtools

from glance_mini.content.failover import FailoverChunks
from glance_mini.domain.image import Location
from glance_mini.metrics import Metrics
from glance_mini_store import errors
from glance_mini_store.buffers import TRANSFER, Buffers
from glance_mini_store.drivers.file import FileDriver
from tests.unit.layers.location.stores import FailingDriver, multi_store, unavailable
from tests.unit.layers.support import count

DATA = bytes(range(26))
NOWHERE = Location("memory://a/nowhere", {"store": "a"})


class TestFailover(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.arrange()

    def arrange(self) -> None:
        self.buffers = Buffers(TRANSFER, 0)
        self.drivers = {name: FailingDriver(name) for name in "abc"}
        self.stores = multi_store(**self.drivers)
        self.locations = [Location(self.drivers[name].put("x", DATA), {"store": name}) for name in "abc"]
        self.metrics = Metrics()

    def open(self, *locations: Location, first: int = 0, length: int = len(DATA), **values: Any) -> FailoverChunks:
        is_part = (first, length) != (0, len(DATA))
        places = locations or self.locations
        chunks = FailoverChunks(self.stores, places, first, length, is_part, self.metrics, self.buffers)
        chunks.open()
        return chunks

    def read(self, *locations: Location, **values: Any) -> bytes:
        chunks = self.open(*locations, **values)
        data = b"".join(chunks)
        chunks.close()
        self.assertEqual(0, sum(driver.open_reads for driver in self.drivers.values()))
        return data

    def break_off(self, **positions: int | None) -> None:
        for name, position in positions.items():
            self.drivers[name].fails["read"] = unavailable
            self.drivers[name].break_at = position

    def test_one_good_location_is_enough_and_the_others_are_left_alone(self) -> None:
        self.assertEqual(DATA, self.read())
        self.assertEqual([[(0, None)], [], []], [driver.reads for driver in self.drivers.values()])

    def test_a_location_that_cannot_be_opened_is_passed_over(self) -> None:
        self.break_off(a=None, b=0)
        self.assertEqual(DATA, self.read())
        self.assertEqual((1, 1), (self.failures("a"), self.failures("b")))

    def test_a_location_that_breaks_off_is_continued_by_the_next_at_the_right_byte(self) -> None:
        for position in range(len(DATA) - 1):
            self.arrange()
            self.break_off(a=position)
            self.assertEqual(DATA, self.read(), f"broken at {position}")
            self.assertEqual(1, self.failures("a"))

    def test_two_locations_may_break_off_one_after_the_other(self) -> None:
        self.break_off(a=8, b=12)
        self.assertEqual(DATA, self.read())
        self.assertEqual([(12, len(DATA) - 12)], self.drivers["c"].reads)

    def test_a_location_that_fails_when_it_should_continue_is_passed_over(self) -> None:
        self.break_off(a=8, b=None)
        self.assertEqual(DATA, self.read())
        self.assertEqual((1, 1, 0), (self.failures("a"), self.failures("b"), self.failures("c")))

    def test_a_part_is_continued_too(self) -> None:
        self.break_off(a=10)
        self.assertEqual(DATA[3:18], self.read(first=3, length=15))

    def test_data_that_ends_too_early_is_continued(self) -> None:
        short = Location(self.drivers["a"].put("short", DATA[:9]), {"store": "a"})
        self.assertEqual(DATA, self.read(short, self.locations[1]))

    def test_data_that_goes_on_too_long_is_cut(self) -> None:
        long = Location(self.drivers["a"].put("long", DATA + b"more"), {"store": "a"})
        self.assertEqual(DATA, self.read(long))

    def test_when_all_break_off_the_last_error_comes_through(self) -> None:
        self.break_off(a=4, b=8, c=12)
        chunks = self.open()
        got = b""
        error: Exception | None = None
        try:
            for chunk in chunks:
                got += chunk
        except errors.StoreError as failed:
            error = failed
        self.assertEqual(DATA[:12], got)
        self.assertIsInstance(error, errors.RemoteServiceUnavailable)

    def test_data_that_ends_too_early_everywhere_never_ends_silently(self) -> None:
        short = Location(self.drivers["a"].put("short", DATA[:9]), {"store": "a"})
        self.assertRaises(errors.SizeMismatch, list, self.open(short))

    def test_where_no_location_opens_it_is_not_found_only_if_it_is_nowhere(self) -> None:
        elsewhere = Location("memory://b/nowhere", {"store": "b"})
        self.assertRaises(errors.NotFound, self.open, NOWHERE, elsewhere)
        self.drivers["b"].fails["read"] = unavailable
        for order in ((NOWHERE, elsewhere), (elsewhere, NOWHERE)):
            self.assertRaises(errors.RemoteServiceUnavailable, self.open, *order)

    def test_a_store_that_fails_at_its_first_block_is_noticed_before_an_answer_begins(self) -> None:
        self.break_off(a=0)
        self.assertRaises(errors.RemoteServiceUnavailable, self.open, self.locations[0])
        self.assertEqual(0, self.drivers["a"].open_reads)

    def test_a_location_of_a_store_that_is_not_configured_is_passed_over(self) -> None:
        unknown = Location("rbd://a/b/c/d"), Location("memory://z/x", {"store": "z"})
        self.assertEqual(DATA, self.read(*unknown, self.locations[2]))
        self.assertEqual(2, self.failures("unknown"))

    def test_nothing_can_be_read_from_empty_data(self) -> None:
        empty = Location(self.drivers["a"].put("empty", b""), {"store": "a"})
        self.assertEqual(b"", self.read(empty, length=0))

    def test_closing_early_ends_the_source(self) -> None:
        chunks = self.open()
        next(chunks)
        self.assertEqual(1, self.drivers["a"].open_reads)
        chunks.close()
        chunks.close()
        self.assertEqual(0, self.drivers["a"].open_reads)

    def test_a_local_file_is_offered_as_one(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        driver = FileDriver(folder.name)
        self.stores = multi_store(disk=driver, **self.drivers)
        location = Location(driver.write("x", [DATA]).location, {"store": "disk"})
        whole, part = self.open(location), self.open(location, first=3, length=5)
        for chunks, expected in ((whole, DATA), (part, DATA[3:8])):
            assert chunks.file is not None
            self.assertEqual(chunks.offset, chunks.file.tell())
            self.assertEqual(expected, chunks.file.read(chunks.length))
            chunks.close()
        self.assertIsNone(self.open().file)
        self.assertEqual(DATA, self.read(location))

    def failures(self, store: str) -> float:
        return count(self.metrics.store_failures, store)

    def test_a_stream_holds_its_share_until_it_is_closed(self) -> None:
        self.break_off(a=8)
        chunks = self.open()
        self.assertEqual(DATA, b"".join(chunks))
        self.assertRaises(errors.BuffersExhausted, self.open)
        chunks.close()
        self.assertEqual(DATA, self.read())

    def test_a_stream_without_memory_leaves_nothing_open(self) -> None:
        with self.buffers.share(TRANSFER):
            self.assertRaises(errors.BuffersExhausted, self.open)
        self.assertEqual(0, sum(driver.open_reads for driver in self.drivers.values()))
        self.assertEqual((0, 0, 0), tuple(map(self.failures, "abc")))

    def test_where_no_location_opens_nothing_is_held(self) -> None:
        self.break_off(a=0)
        self.assertRaises(errors.RemoteServiceUnavailable, self.open, self.locations[0])
        self.assertEqual(DATA, self.read(self.locations[1]))
