"""What a store adds to every driver: digests, limits, observers, ranges, clean-up and its name in errors."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import cycle
from typing import Any, Self

from testtools import TestCase

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store

DATA = [b"first " * 1000, b"", b"second", b"third" * 50_000]
WHOLE = b"".join(DATA)


class Recording:
    """An observer that remembers, and refuses when it is told to."""

    def __init__(self, refuse_at: int | None = None, refuse_end: bool = False) -> None:
        self.seen = b""
        self.finished = False
        self._refuse_at = refuse_at
        self._refuse_end = refuse_end

    def update(self, data: bytes, /) -> None:
        self.seen += data
        if self._refuse_at is not None and len(self.seen) >= self._refuse_at:
            raise Refused("content")

    def finish(self) -> None:
        self.finished = True
        if self._refuse_end:
            raise Refused("at the end")


class Refused(Exception):
    """The observer does not like the data."""


class Misbehaving(MemoryDriver):
    """A driver with one of the faults that a store must make up for."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        taken = []
        try:
            for chunk in chunks:
                taken.append(chunk)
                if self.fault == "stops":
                    break
        except Exception as error:
            if self.fault == "translates":
                raise errors.StorageFull(reason="or so") from error
            if self.fault != "swallows":
                raise
        written = super().write(name, taken)
        return Written(written.location, written.size + 1) if self.fault == "miscounts" else written


class Staying(Misbehaving):
    """A driver that can delete nothing."""

    def delete(self, location: str) -> None:
        raise errors.RemoteServiceUnavailable(reason="silent")


class Refusing(MemoryDriver):
    """A driver that fails in each write."""

    def __init__(self, error: errors.StoreError) -> None:
        super().__init__()
        self._error = error

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        raise self._error


class Sequential(Driver):
    """A driver that can only read everything from the beginning."""

    type = "sequential"
    schemes = ("sequential",)
    capabilities = frozenset({capabilities.READ})

    @classmethod
    def from_config(cls, settings: Any, store_id: str) -> Self:
        return cls()

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        assert (offset, length) == (0, None)
        yield b"01234"
        yield b"56789"
        if location.endswith("broken"):
            raise errors.RemoteServiceUnavailable(reason="gone")

    def size(self, location: str) -> int:
        return 10


class TestWrite(TestCase):
    blocks = 1

    def new_store(self, driver: Driver, name: str) -> Store:
        """Return a store whose chunks come in ``blocks`` blocks of memory."""
        store = Store(driver, name)
        store.write = partial(store.write, blocks=self.blocks)  # type: ignore[method-assign]
        return store

    def setUp(self) -> None:
        super().setUp()
        self.store = self.new_store(MemoryDriver("m"), "fast")

    def assert_nothing_left(self, store: Store | None = None, name: str = "name") -> None:
        store = store or self.store
        self.assertRaises(errors.NotFound, store.size, f"memory://m/{name}")

    def test_answer_has_location_size_and_digests(self) -> None:
        stored = self.store.write("name", DATA, size=len(WHOLE), algorithms=("md5", "sha256"))
        self.assertEqual("memory://m/name", stored.location)
        self.assertEqual(len(WHOLE), stored.size)
        self.assertEqual(
            {"md5": hashlib.md5(WHOLE).hexdigest(), "sha256": hashlib.sha256(WHOLE).hexdigest()}, stored.digests
        )
        self.assertEqual(WHOLE, b"".join(self.store.read(stored.location)))

    def test_empty_data_has_digests_too(self) -> None:
        stored = self.store.write("name", [], size=0)
        self.assertEqual((0, hashlib.md5(b"").hexdigest()), (stored.size, stored.digests["md5"]))

    def test_unknown_algorithm_is_refused_before_anything_is_read(self) -> None:
        source = iter(DATA)
        self.assertRaises(errors.UnknownHashingAlgo, self.store.write, "name", source, algorithms=("md5", "nohash"))
        self.assertEqual(DATA, list(source))

    def test_data_of_the_limit_is_taken_and_one_byte_more_is_not(self) -> None:
        self.store.write("fits", DATA, limit=len(WHOLE))
        error = self.assertRaises(errors.SizeLimitExceeded, self.store.write, "name", DATA, limit=len(WHOLE) - 1)
        self.assertEqual(len(WHOLE) - 1, error.values["limit"])
        self.assert_nothing_left()

    def test_announced_size_above_the_limit_is_refused_before_anything_is_read(self) -> None:
        source = iter(DATA)
        self.assertRaises(errors.SizeLimitExceeded, self.store.write, "name", source, size=11, limit=10)
        self.assertEqual(DATA, list(source))

    def test_wrong_size_leaves_nothing(self) -> None:
        for size in (0, len(WHOLE) - 1, len(WHOLE) + 1):
            error = self.assertRaises(errors.SizeMismatch, self.store.write, "name", DATA, size=size)
            self.assertEqual(size, error.values["expected"])
            self.assert_nothing_left()

    def test_size_mismatch_counts_as_invalid_data(self) -> None:
        self.assertRaises(errors.Invalid, self.store.write, "name", DATA, size=1)

    def test_observers_see_every_byte_and_the_end(self) -> None:
        recording, digest = Recording(), hashlib.sha1()
        self.store.write("name", DATA, observers=(recording, digest))
        self.assertEqual((WHOLE, True), (recording.seen, recording.finished))
        self.assertEqual(hashlib.sha1(WHOLE).hexdigest(), digest.hexdigest())

    def test_refusal_in_the_middle_goes_through_unchanged_and_leaves_nothing(self) -> None:
        error = self.assertRaises(Refused, self.store.write, "name", DATA, observers=[Recording(refuse_at=6000)])
        self.assertEqual("content", str(error))
        self.assert_nothing_left()

    def test_refusal_at_the_end_comes_before_anything_is_readable(self) -> None:
        self.assertRaises(Refused, self.store.write, "name", DATA, observers=[Recording(refuse_end=True)])
        self.assert_nothing_left()

    def test_observer_does_not_learn_of_an_end_that_was_too_early(self) -> None:
        observer = Recording()
        self.assertRaises(errors.SizeMismatch, self.store.write, "name", DATA, size=10**9, observers=[observer])
        self.assertFalse(observer.finished)

    def test_failure_of_the_source_is_the_same_object_even_if_the_driver_translates_it(self) -> None:
        failure = ConnectionResetError("client gone")

        def source() -> Iterator[bytes]:
            yield b"data"
            raise failure

        for fault in ("", "translates", "swallows"):
            store = self.new_store(Misbehaving(fault), "bad")
            self.assertIs(failure, self.assertRaises(ConnectionResetError, store.write, "name", source()))
            self.assertRaises(errors.NotFound, store.size, "memory://default/name")

    def test_driver_that_stops_early_or_miscounts_leaves_nothing(self) -> None:
        for fault in ("stops", "miscounts"):
            store = self.new_store(Misbehaving(fault), "bad")
            self.assertRaises(errors.SizeMismatch, store.write, "name", DATA)
            self.assertRaises(errors.NotFound, store.size, "memory://default/name")

    def test_error_after_which_data_may_be_there_is_marked(self) -> None:
        table: list[tuple[errors.StoreError, bool]] = [
            (errors.RemoteServiceUnavailable(reason="silent"), True),
            (errors.StorageWriteDenied(reason="keys"), True),
            (errors.StorageFull(reason="disk"), False),
        ]
        for error, is_marked in table:
            store = self.new_store(Refusing(error), "slow")
            self.assertIs(error, self.assertRaises(type(error), store.write, "name", DATA))
            self.assertIs(is_marked, errors.has_leftovers(error))

    def test_miscounted_data_that_stays_marks_the_error(self) -> None:
        for driver, is_marked in ((Misbehaving("miscounts"), False), (Staying("miscounts"), True)):
            error = self.assertRaises(errors.SizeMismatch, self.new_store(driver, "bad").write, "name", DATA)
            self.assertIs(is_marked, errors.has_leftovers(error))

    def test_nothing_is_read_for_a_driver_that_refuses_at_once(self) -> None:
        source = iter(DATA)
        self.assertRaises(errors.Invalid, self.store.write, "a/b", source)
        self.assertEqual(DATA, list(source))

    def test_duplicate_keeps_the_data_that_was_there(self) -> None:
        stored = self.store.write("name", [b"first"])
        self.assertRaises(errors.Duplicate, self.store.write, "name", DATA)
        self.assertEqual(b"first", b"".join(self.store.read(stored.location)))

    def test_interrupt_goes_through_and_leaves_nothing(self) -> None:
        def source() -> Iterator[bytes]:
            yield b"data"
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, self.store.write, "name", source())
        self.assert_nothing_left()

    def test_memory_is_used_again_only_when_everybody_has_done_with_it(self) -> None:
        blocks = [bytearray(1000) for _ in range(self.blocks)]
        numbers = [number % 251 for number in range(500)]

        def source() -> Iterator[memoryview]:
            turns = cycle(blocks)
            for number, block in zip(numbers, turns, strict=False):
                block[:] = bytes([number]) * 1000
                yield memoryview(block)
            next(turns)[:] = b"?" * 1000

        for name in ("a", "b", "c"):
            stored = self.store.write(name, source())
            data = b"".join(bytes([number]) * 1000 for number in numbers)
            self.assertEqual(hashlib.md5(data).hexdigest(), stored.digests["md5"])
            self.assertEqual(data, b"".join(self.store.read(stored.location)))


class TestWriteWithThreads(TestWrite):
    blocks = 4


class TestStore(TestCase):
    def test_errors_name_the_store(self) -> None:
        store = Store(MemoryDriver("m"), "fast")
        for call in (store.size, store.delete, store.read):
            error = self.assertRaises(errors.NotFound, call, "memory://m/none")
            self.assertEqual("store fast: no data at memory://m/none", str(error))

    def test_late_errors_name_the_store_too(self) -> None:
        reader = Store(Sequential(), "slow").read("sequential://broken")
        error = self.assertRaises(errors.RemoteServiceUnavailable, list, reader)
        self.assertEqual("store slow: the backend does not answer: gone", str(error))

    def test_ranges_work_without_the_help_of_the_driver(self) -> None:
        store = Store(Sequential(), "slow")
        self.assertEqual(b"456", b"".join(store.read("sequential://x", 4, 3)))
        self.assertEqual(b"", b"".join(store.read("sequential://x", 10)))
        self.assertRaises(errors.InvalidRange, list, store.read("sequential://x", 11))

    def test_store_without_writing_is_read_only(self) -> None:
        store = Store(Sequential(), "slow")
        self.assertTrue(store.read_only)
        self.assertRaises(errors.StoreAddDisabled, store.write, "name", DATA)
        self.assertRaises(errors.StoreDeleteNotSupported, store.delete, "sequential://x")

    def test_acl_of_a_store_without_them_does_nothing(self) -> None:
        Store(MemoryDriver("m"), "fast").set_acl("memory://m/none", True, [])

    def test_closing_a_reader_closes_the_driver_s(self) -> None:
        reader: Any = Store(Sequential(), "slow").read("sequential://x")
        next(reader)
        reader.close()
        self.assertEqual([], list(reader))
