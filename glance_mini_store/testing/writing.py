"""Writes that succeed, fail, or meet under one name."""

import contextlib
import functools

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Written
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import (
    MIB,
    SourceError,
    broken,
    in_one_block,
    in_threads,
    new_name,
    pattern,
    pieces,
)


class WritingTests(DriverCase):
    """Writes, whole and broken off."""

    def test_write_answers_location_and_size(self) -> None:
        self.needs(capabilities.WRITE)
        written = self.driver.write(new_name(), pieces(b"some data"), None)
        self.assertIsInstance(written, Written)
        self.assertEqual(9, written.size)
        self.assertEqual(b"some data", self.content(written.location))

    def test_chunks_of_any_size_are_put_together(self) -> None:
        self.needs(capabilities.WRITE)
        data = pattern(300_000)
        for step in (999, 65_536, 100_001, 300_000):
            chunks = [data[start : start + step] for start in range(0, len(data), step)]
            written = self.driver.write(new_name(), iter(chunks), None)
            self.assertEqual(data, self.content(written.location), f"chunks of {step}")

    def test_memory_of_a_chunk_may_be_used_again_when_the_next_one_is_asked_for(self) -> None:
        self.needs(capabilities.WRITE)
        data = pattern(3 * MIB + 5)
        for write in (self.driver.write, self.driver.write_uncached):
            written = write(new_name(), in_one_block(data), len(data))
            self.assertEqual(data, self.content(written.location))

    def test_second_write_under_a_name_is_a_duplicate_and_changes_nothing(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        location = self.put(name, b"first")
        with self.assertRaises(errors.Duplicate):
            self.driver.write(name, pieces(b"second"), 6)
        self.assertEqual(b"first", self.content(location))

    def test_name_that_would_lead_elsewhere_is_refused(self) -> None:
        self.needs(capabilities.WRITE)
        for name in ("../escape", "a/b", ""):
            with self.assertRaises(errors.Invalid):
                self.driver.write(name, pieces(b"data"), 4)

    def test_source_that_raises_leaves_nothing(self) -> None:
        self.needs(capabilities.WRITE, capabilities.DELETE)
        name, location = self.used_name()
        before = self.leftovers()
        for sent in (0, 1, 2 * MIB):
            failure = SourceError("broken off")
            with self.assertRaises(SourceError) as caught:
                self.driver.write(name, broken(pattern(sent), failure), 10 * MIB)
            self.assertIs(failure, caught.exception)
            self.assert_gone(location)
            self.assertEqual(before, self.leftovers())

    def test_failed_write_under_a_taken_name_keeps_the_data_there(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        location = self.put(name, b"first")
        with self.assertRaises((SourceError, errors.Duplicate)):
            self.driver.write(name, broken(b"second", SourceError()), None)
        self.assertEqual(b"first", self.content(location))

    def test_wrong_announced_size_leaves_nothing(self) -> None:
        self.needs(capabilities.WRITE, capabilities.DELETE)
        name, location = self.used_name()
        before = self.leftovers()
        for announced in (0, 9, 11):
            with self.assertRaises(errors.SizeMismatch):
                self.store.write(name, pieces(b"0123456789"), size=announced)
            self.assert_gone(location)
            self.assertEqual(before, self.leftovers())

    def test_writes_at_once_under_different_names_all_succeed(self) -> None:
        self.needs(capabilities.WRITE)
        contents = {new_name(): pattern(MIB + number) for number in range(6)}
        locations: dict[str, str] = {}

        def write(name: str) -> None:
            locations[name] = self.driver.write(name, pieces(contents[name]), None).location

        in_threads(functools.partial(write, name) for name in contents)
        for name, data in contents.items():
            self.assertEqual(data, self.content(locations[name]))

    def test_writes_at_once_under_one_name_leave_one_whole(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        contents = [bytes([number]) * MIB for number in range(1, 5)]
        locations: list[tuple[str, bytes]] = []

        def write(data: bytes) -> None:
            with contextlib.suppress(errors.Duplicate):
                locations.append((self.driver.write(name, pieces(data), len(data)).location, data))

        in_threads(functools.partial(write, data) for data in contents)
        self.assertEqual(1, len(locations))
        self.assertEqual(locations[0][1], self.content(locations[0][0]))
