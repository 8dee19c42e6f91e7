"""One stream to several stores at once."""

import hashlib
import itertools
import threading

import testtools

from glance_mini.content.fanout import NotWritten, write_to_stores
from glance_mini_store import errors
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store, Stored

BLOCKS = [bytes([number]) * 1000 for number in range(50)]
DATA = b"".join(BLOCKS)


class Refused(Exception):
    """What an observer of these tests raises."""


class Refusing:
    """An observer that raises at a block, or at the end."""

    def __init__(self, at=None):
        self._left = at

    def update(self, block):
        if self._left is not None:
            self._left -= 1
            if not self._left:
                raise Refused

    def finish(self):
        if self._left is None:
            raise Refused


class Full(MemoryDriver):
    """A store that fails after some blocks."""

    def __init__(self, blocks=2):
        super().__init__()
        self._blocks = blocks

    def write(self, name, chunks, size=None):
        for number, _ in enumerate(chunks, start=1):
            if number == self._blocks:
                raise errors.StorageFull(reason="there is no room")
        raise AssertionError("the data was shorter than the test wants")


class Keeping(MemoryDriver):
    """A store that cannot remove the data of a write that failed."""

    def write(self, name, chunks, size=None):
        try:
            return super().write(name, chunks, size)
        except Exception as error:
            errors.mark_leftovers(error)
            raise


class Undeletable(MemoryDriver):
    """A store that takes data and deletes none."""

    def delete(self, location):
        raise errors.RemoteServiceUnavailable(reason="nobody answers")


class TestFanout(testtools.TestCase):
    def stores(self, *drivers):
        return [Store(driver, f"s{number}") for number, driver in enumerate(drivers)]

    def kept(self, stores):
        return [len(store.driver._data) for store in stores]

    def test_every_store_gets_everything_once(self):
        stores = self.stores(MemoryDriver(), MemoryDriver(), MemoryDriver())
        copies = write_to_stores(stores, "n", iter(BLOCKS), size=len(DATA), algorithms=("sha256",))
        self.assertEqual((len(DATA), hashlib.sha256(DATA).hexdigest()), (copies.size, copies.digests["sha256"]))
        self.assertEqual(["s0", "s1", "s2"], list(copies.outcomes))
        for store in stores:
            self.assertEqual(DATA, b"".join(store.read(copies.outcomes[store.id].location)))

    def test_without_any_store_the_data_is_hashed_all_the_same(self):
        copies = write_to_stores([], "n", BLOCKS, algorithms=("md5",))
        self.assertEqual(hashlib.md5(DATA).hexdigest(), copies.digests["md5"])

    def test_data_that_an_observer_refuses_is_kept_nowhere(self):
        for observer in (Refusing(at=1), Refusing(at=30), Refusing()):
            stores = self.stores(MemoryDriver(), MemoryDriver())
            self.assertRaises(Refused, write_to_stores, stores, "n", BLOCKS, observers=[observer])
            self.assertEqual([0, 0], self.kept(stores))

    def test_a_source_that_breaks_is_kept_nowhere(self):
        def breaking():
            yield from BLOCKS
            raise Refused

        stores = self.stores(MemoryDriver(), MemoryDriver())
        self.assertRaises(Refused, write_to_stores, stores, "n", breaking())
        self.assertEqual([0, 0], self.kept(stores))

    def test_a_source_of_another_length_is_kept_nowhere(self):
        for size in (len(DATA) - 1, len(DATA) + 1):
            for drivers in ((), (MemoryDriver(), MemoryDriver())):
                stores = self.stores(*drivers)
                self.assertRaises(errors.SizeMismatch, write_to_stores, stores, "n", BLOCKS, size=size, may_fail=1)
                self.assertEqual([0] * len(drivers), self.kept(stores))

    def test_a_store_that_fails_ends_the_stream_where_none_may(self):
        stores = self.stores(MemoryDriver(), Full())
        error = self.assertRaises(NotWritten, write_to_stores, stores, "n", BLOCKS)
        self.assertEqual(["s1"], list(error.failures))
        self.assertIn("s1", str(error))
        self.assertEqual([0, 0], self.kept(stores))

    def test_a_stream_is_read_no_further_once_too_many_stores_have_failed(self):
        stores = self.stores(Full(blocks=1), Full(blocks=20))
        self.assertRaises(NotWritten, write_to_stores, stores, "n", itertools.repeat(b"x"), may_fail=1)

    def test_the_others_go_on_where_one_may_fail(self):
        for blocks in (1, 49, 50):
            stores = self.stores(Full(blocks), MemoryDriver())
            copies = write_to_stores(stores, "n", BLOCKS, may_fail=1)
            self.assertIsInstance(copies.outcomes["s0"], errors.StorageFull)
            self.assertIsInstance(copies.outcomes["s1"], Stored)
            self.assertEqual(DATA, b"".join(stores[1].read(copies.outcomes["s1"].location)))

    def left(self, error, *drivers, **values):
        """Return the stores of which a failed write says that they may have kept data."""
        left = []
        self.assertRaises(error, write_to_stores, self.stores(*drivers), "n", BLOCKS, leave=left.append, **values)
        return [store.id for store in left]

    def test_a_store_that_cannot_remove_a_refused_stream_is_told(self):
        for drivers, told in (((Keeping(), MemoryDriver()), ["s0"]), ((MemoryDriver(), Keeping()), ["s1"])):
            self.assertEqual(told, self.left(Refused, *drivers, observers=[Refusing()]))

    def test_a_store_that_cannot_delete_what_is_not_wanted_is_told(self):
        self.assertEqual(["s0"], self.left(NotWritten, Undeletable(), MemoryDriver(), Full(len(BLOCKS))))

    def test_no_thread_is_left(self):
        before = threading.active_count()
        write_to_stores(self.stores(Full(), MemoryDriver()), "n", BLOCKS, may_fail=1)
        self.assertRaises(NotWritten, write_to_stores, self.stores(Full(), MemoryDriver()), "n", BLOCKS)
        self.assertRaises(Refused, write_to_stores, self.stores(MemoryDriver()), "n", BLOCKS, observers=[Refusing()])
        self.assertEqual(before, threading.active_count())
