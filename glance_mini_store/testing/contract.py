"""The contract of a storage driver as tests: mix ``DriverContract`` into a TestCase and create the driver.

    class TestFile(DriverContract, TestCase):
        def make_driver(self):
            return FileDriver(directory=self.useFixture(TempDir()).path)

The test case of a driver that cannot write also overrides ``put`` and ``missing_location``. Tests of
capabilities that a driver lacks are skipped.
"""

import contextlib
import functools
import json
import os
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import CONTRACT, Driver, Written
from glance_mini_store.store import Store
from glance_mini_store.streams import close

KIB = 1024
MIB = 1024 * 1024
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


class SourceError(Exception):
    """The error that sources of these tests raise in the middle."""


if TYPE_CHECKING:
    _Mixin = unittest.TestCase
else:
    _Mixin = object


class DriverContract(_Mixin):
    """Tests that every driver must pass; ``self.driver`` is the driver, ``self.store`` a Store around it."""

    def make_driver(self) -> Driver:
        """Return a driver on an empty backend of its own; called once for each test."""
        raise NotImplementedError

    def put(self, name: str, data: bytes) -> str:
        """Store ``data`` in the backend and return its location."""
        return self.driver.write(name, pieces(data), len(data)).location

    def missing_location(self) -> str:
        """Return a valid location without data; override it for a driver that cannot delete."""
        location = self.put(new_name(), b"soon gone")
        self.driver.delete(location)
        return location

    def leftovers(self) -> list[str]:
        """Return everything in the backend; override it if the backend can be listed."""
        return []

    def setUp(self) -> None:
        """Create the driver."""
        super().setUp()
        self.driver = self.make_driver()
        self.addCleanup(self.driver.close)
        self.store = Store(self.driver, "contract")

    def needs(self, *wanted: str) -> None:
        """Skip the test unless the driver has all the capabilities."""
        lacking = [word for word in wanted if word not in self.driver.capabilities]
        if lacking:
            self.skipTest(f"the driver cannot {', '.join(lacking)}")

    def content(self, location: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes at ``location`` as the store reads them."""
        return b"".join(self.store.read(location, offset, length))

    def assert_gone(self, location: str) -> None:
        """Fail unless nothing can be read at ``location``."""
        with self.assertRaises(errors.NotFound):
            self.content(location)
        with self.assertRaises(errors.NotFound):
            self.driver.size(location)

    # Description

    def test_probe_of_a_usable_backend_returns_its_free_bytes_or_none(self) -> None:
        free = self.store.probe()
        self.assertTrue(free is None or free >= 0, free)

    def test_capabilities_are_known_words_and_reading_is_one(self) -> None:
        self.assertLessEqual(self.driver.capabilities, capabilities.ALL)
        self.assertIn(capabilities.READ, self.driver.capabilities)

    def test_contract_is_the_one_of_this_library(self) -> None:
        self.assertEqual(CONTRACT, self.driver.contract)

    def test_type_and_schemes_are_named(self) -> None:
        self.assertTrue(self.driver.type)
        self.assertTrue(self.driver.schemes)
        self.assertTrue(all(prefix.partition("://")[0] in self.driver.schemes for prefix in self.driver.prefixes))

    def test_location_has_a_prefix_of_the_driver(self) -> None:
        location = self.put(new_name(), b"data")
        self.assertTrue(location.startswith(self.driver.prefixes), location)

    def test_properties_can_be_shown_as_json(self) -> None:
        json.dumps(dict(self.driver.properties()))

    def test_check_passes_and_may_be_repeated(self) -> None:
        self.driver.check()
        self.driver.check()

    def test_what_is_not_claimed_is_refused(self) -> None:
        location = self.put(new_name(), b"data")
        refusals: dict[str, tuple[type[errors.StoreError], Callable[[], object]]] = {
            capabilities.WRITE: (errors.StoreAddDisabled, lambda: self.driver.write(new_name(), [b"x"], 1)),
            capabilities.DELETE: (errors.StoreDeleteNotSupported, lambda: self.driver.delete(location)),
            capabilities.ACL: (errors.StoreAclNotSupported, lambda: self.driver.set_acl(location, True, [])),
        }
        for word in refusals.keys() - self.driver.capabilities:
            error, call = refusals[word]
            with self.assertRaises(error):
                call()

    def test_acl_can_be_set_and_set_again(self) -> None:
        self.needs(capabilities.ACL)
        location = self.put(new_name(), b"data")
        self.driver.set_acl(location, True, [])
        self.driver.set_acl(location, False, ["project"])
        self.assertEqual(b"data", self.content(location))

    # Addresses for others

    def test_without_the_capability_there_is_no_presigned_url(self) -> None:
        if capabilities.PRESIGN not in self.driver.capabilities:
            self.assertIsNone(self.driver.presigned_url(self.put(new_name(), b"data"), 60))

    def test_presigned_url_gives_the_data_and_its_ranges_to_anybody(self) -> None:
        self.needs(capabilities.PRESIGN)
        for size in (1, RANGE_SIZE, 5 * MIB):
            data = pattern(size)
            url = self.store.presigned_url(self.put(new_name(), data), 60)
            self.assertEqual((200, data), fetched(url))
            middle = size // 2
            self.assertEqual((206, data[middle:]), fetched(url, Range=f"bytes={middle}-"))

    def test_presigned_url_gives_other_data_to_nobody(self) -> None:
        self.needs(capabilities.PRESIGN)
        mine, other = new_name(), new_name()
        url, _ = self.driver.presigned_url(self.put(mine, b"mine"), 60), self.put(other, b"other")
        self.assertIsNotNone(url)
        status, data = fetched(str(url).replace(mine, other))
        self.assertIn(status, (401, 403))
        self.assertNotEqual(b"other", data)

    def test_presigned_url_changes_nothing(self) -> None:
        self.needs(capabilities.PRESIGN)
        location = self.put(new_name(), b"data")
        url = self.driver.presigned_url(location, 60)
        for method in ("PUT", "DELETE"):
            self.assertIn(fetched(url, method, b"new" if method == "PUT" else None)[0], (401, 403))
        self.assertEqual(b"data", self.content(location))

    def test_presigned_url_ends(self) -> None:
        self.needs(capabilities.PRESIGN)
        url = self.driver.presigned_url(self.put(new_name(), b"data"), 1)
        time.sleep(3)
        self.assertIn(fetched(url)[0], (401, 403))

    def test_without_the_capability_nothing_can_be_sent(self) -> None:
        if capabilities.UPLOAD not in self.driver.capabilities:
            with self.assertRaises(errors.StoreAddDisabled):
                self.driver.presigned_upload(new_name(), 60, 4)
            self.assertIsNone(self.driver.uploaded(new_name()))

    def test_what_was_sent_is_copied_and_the_copy_does_not_change(self) -> None:
        self.needs(capabilities.UPLOAD)
        sent, name, data = new_name(), new_name(), pattern(MIB + 1)
        url = self.store.presigned_upload(sent, 60, len(data))
        self.assertIsNone(self.store.uploaded(sent))
        self.assertIn(fetched(url, "PUT", data)[0], (200, 201))
        self.assertEqual(len(data), self.store.uploaded(sent))
        written = self.store.adopt(sent, name, len(data))
        self.assertEqual(len(data), written.size)
        self.assertEqual(data, self.content(written.location))
        fetched(url, "PUT", data[::-1])
        self.assertEqual(data, self.content(written.location))
        self.driver.discard(sent)
        self.assertIsNone(self.driver.uploaded(sent))
        self.assertEqual(data, self.content(written.location))

    def test_copy_has_the_announced_size_and_replaces_nothing(self) -> None:
        self.needs(capabilities.UPLOAD)
        sent, name = new_name(), new_name()
        with self.assertRaises(errors.NotFound):
            self.driver.adopt(sent, name, 4)
        fetched(self.driver.presigned_upload(sent, 60, 4), "PUT", b"sent")
        with self.assertRaises(errors.SizeMismatch):
            self.driver.adopt(sent, name, 5)
        location = self.put(name, b"older")
        with self.assertRaises(errors.Duplicate):
            self.driver.adopt(sent, name, 4)
        self.assertEqual(b"older", self.content(location))

    def test_address_for_an_upload_reads_and_copies_nothing(self) -> None:
        self.needs(capabilities.UPLOAD)
        sent, secret = new_name(), new_name()
        location = self.put(secret, b"secret")
        url = self.driver.presigned_upload(sent, 60, 6)
        source = location.partition("://")[2].partition("/")[2]
        for headers in (
            {"x-amz-copy-source": f"/{source}"},
            {"X-Copy-From": f"/{source}"},
            {"X-Copy-From": f"/{source}", "Content-Length": "0"},
        ):
            for body in (b"public", b""):
                fetched(url, "PUT", body, **headers)
                if self.driver.uploaded(sent) is not None:
                    copied = self.driver.adopt(sent, new_name(), self.driver.uploaded(sent) or 0)
                    self.assertNotEqual(b"secret", self.content(copied.location))
        self.assertIn(fetched(url)[0], (401, 403))
        self.assertIn(fetched(url.replace(sent, secret), "PUT", b"public")[0], (401, 403))
        self.assertEqual(b"secret", self.content(location))

    # Drafts

    def test_draft_goes_on_where_it_was_left_and_is_read_and_removed(self) -> None:
        if capabilities.DRAFT not in self.driver.capabilities:
            with self.assertRaises(errors.StoreAddDisabled), self.store.draft(new_name(), 0):
                pass
            self.skipTest("the driver has no drafts")
        name, data = new_name(), pattern(2 * MIB + 1)
        with self.store.draft(name, 0) as draft:
            draft.write(data[:MIB])
            draft.write(b"what is dropped")
            draft.sync()
        with self.store.draft(name, MIB) as draft:
            draft.write(memoryview(data)[MIB:])
            draft.sync()
            self.assertEqual(data, self.content(draft.location))
        with self.assertRaises(errors.NotFound), self.store.draft(name, len(data) + 1):
            pass
        self.driver.discard(name)
        with self.assertRaises(errors.NotFound), self.store.draft(name, MIB):
            pass
        with self.store.draft(name, 0) as draft:
            self.assertEqual(b"", self.content(draft.location))

    def test_draft_has_one_user_at_a_time(self) -> None:
        self.needs(capabilities.DRAFT)
        name = new_name()
        with self.store.draft(name, 0) as first:
            first.write(b"first")
            with self.assertRaises(errors.DraftInUse), self.store.draft(name, 0):
                pass
            self.assertEqual(b"first", self.content(first.location))
        with self.store.draft(name, 5):
            pass

    # Reading

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

    # Writing

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

    # Local files

    def test_local_path_is_a_file_with_the_same_data(self) -> None:
        location = self.put(new_name(), b"some data")
        path = self.driver.local_path(location)
        if path is None:
            self.skipTest("the driver has no local files")
        with open(path, "rb") as file:
            self.assertEqual(b"some data", file.read())
        with self.assertRaises(errors.NotFound):
            self.driver.local_path(self.missing_location())

    def test_adopted_file_is_data_of_its_own(self) -> None:
        path = self.new_local_file(b"some data")
        written = self.driver.link_in(name := new_name(), path)
        if written is None:
            self.assertNotIn(os.stat(path).st_dev, self.driver.devices())
            self.skipTest("the driver takes no file from here")
        with open(path, "rb") as file:
            self.assertEqual(b"some data", file.read())
        os.unlink(path)
        self.assertEqual(9, written.size)
        self.assertEqual(b"some data", self.content(written.location))
        self.driver.discard(name)
        self.assert_gone(written.location)

    def test_file_is_not_adopted_under_a_taken_name(self) -> None:
        path = self.new_local_file(b"second")
        if os.stat(path).st_dev not in self.driver.devices():
            self.skipTest("the driver takes no file from here")
        location = self.put(name := new_name(), b"first")
        with self.assertRaises(errors.Duplicate):
            self.driver.link_in(name, path)
        self.assertEqual(b"first", self.content(location))

    def new_local_file(self, data: bytes) -> str:
        """Return the path of a new file, which is removed after the test."""
        handle, path = tempfile.mkstemp()
        self.addCleanup(_unlink, path)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return path

    # Removing

    def test_deleted_data_is_not_found_nor_deleted_twice(self) -> None:
        self.needs(capabilities.DELETE)
        location = self.put(new_name(), b"data")
        self.driver.delete(location)
        self.assert_gone(location)
        with self.assertRaises(errors.NotFound):
            self.driver.delete(location)

    def test_delete_of_a_foreign_location_is_refused(self) -> None:
        self.needs(capabilities.DELETE)
        with self.assertRaises(errors.BadStoreUri):
            self.driver.delete("foreign://somewhere/data")

    def test_discard_removes_what_was_published_and_may_be_repeated(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        before = self.leftovers()
        location = self.put(name, b"unrecorded")
        self.driver.discard(name)
        self.driver.discard(name)
        self.assert_gone(location)
        self.assertEqual(before, self.leftovers())

    def test_discard_of_an_unknown_name_is_no_error(self) -> None:
        self.driver.discard(new_name())

    def test_discard_leaves_other_names_alone(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        location = self.put(f"{name}-2", b"data")
        self.driver.discard(name)
        self.assertEqual(b"data", self.content(location))

    def test_write_of_a_killed_process_is_not_readable_and_can_be_discarded(self) -> None:
        self.needs(capabilities.WRITE, capabilities.DELETE)
        name, location = self.used_name()
        before = self.leftovers()
        in_killed_process(lambda source: self.driver.write(name, source, None))
        self.assert_gone(location)
        self.driver.discard(name)
        self.assertEqual(before, self.leftovers())
        self.assertEqual(b"data", self.content(self.put(name, b"data")))

    def test_names_tell_what_writes_have_left(self) -> None:
        self.needs(capabilities.WRITE)
        if self.driver.names() is None:
            self.skipTest("the driver cannot list its names")
        before = self.leftovers()
        published, killed, gone = new_name(), new_name(), new_name()
        self.put(published, b"data")
        in_killed_process(lambda source: self.driver.write(killed, source, None))
        self.put(gone, b"data")
        self.driver.discard(gone)
        found = set(self.driver.names() or ())
        self.assertIn(published, found)
        self.assertNotIn(gone, found)
        for name in found:
            self.driver.discard(name)
        self.assertEqual((set(), before), (set(self.driver.names() or ()), self.leftovers()))

    def test_list_of_objects_has_all_published_data_with_its_location_and_age(self) -> None:
        self.needs(capabilities.LIST, capabilities.WRITE, capabilities.DELETE)
        before = {each.location for each in self.driver.list_objects()}
        names = [new_name(), new_name(), new_name()]
        gone, *kept = [self.put(name, b"data") for name in names]
        killed = new_name()
        in_killed_process(lambda source: self.driver.write(killed, source, None))
        self.driver.delete(gone)
        found = {each.location: each for each in self.store.list_objects() if each.location not in before}
        self.assertEqual(set(kept), set(found))
        for name, location in zip(names[1:], kept, strict=True):
            self.assertEqual(name, found[location].name)
            self.assertIn(found[location].size, (4, None))
            self.assertLess(abs((found[location].changed_at or 0) - time.time()), 300)
        self.driver.discard(killed)

    def test_driver_without_a_list_says_so(self) -> None:
        if capabilities.LIST not in self.driver.capabilities:
            self.assertRaises(errors.StoreListNotSupported, lambda: list(self.driver.list_objects()))

    def used_name(self) -> tuple[str, str]:
        """Return a name and the location of its data, which was deleted."""
        name = new_name()
        location = self.put(name, b"soon gone")
        self.driver.delete(location)
        return name, location


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def new_name() -> str:
    """Return a new name."""
    return str(uuid.uuid4())


def pattern(size: int) -> bytes:
    """Return ``size`` bytes in which neighbouring blocks of any usual size differ."""
    unit = b"".join(number.to_bytes(3, "big") for number in range(1, 4096))
    return (unit * (size // len(unit) + 1))[:size]


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` in blocks as a server would."""
    for start in range(0, len(data), MIB):
        yield data[start : start + MIB]


def in_one_block(data: bytes) -> Iterator[memoryview]:
    """Yield ``data`` in chunks of the same memory, which has other bytes as soon as the next chunk is asked for."""
    block = bytearray(MIB)
    for piece in pieces(data):
        block[: len(piece)] = piece
        yield memoryview(block)[: len(piece)]
        block[:] = b"?" * MIB


def broken(data: bytes, failure: BaseException) -> Iterator[bytes]:
    """Yield ``data`` and then raise ``failure``."""
    yield from pieces(data)
    raise failure


def in_threads(calls: Iterable[Callable[[], object]]) -> None:
    """Run all calls at once and wait for them."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def in_killed_process(write: Callable[[Iterator[bytes]], object]) -> None:
    """Call ``write`` in a child process that is killed while it reads the third block."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            write(_deadly_source())
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -9, "the write did not read its source"


def _deadly_source() -> Iterator[bytes]:
    yield pattern(MIB)
    yield pattern(MIB)
    os.kill(os.getpid(), 9)


def fetched(url: str | None, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Return status and body of the answer to a request without credentials."""
    request = urllib.request.Request(str(url), method=method, headers=headers, data=data)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
