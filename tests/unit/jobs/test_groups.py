"""No more stores are written at once than may be, and the data is fetched once for all of them."""

import os
import threading
from pathlib import Path

import fixtures
import testtools

from glance_mini import conf
from glance_mini.content.fanout import NotWritten
from glance_mini.content.hashes import HashMismatch, ImageHashes
from glance_mini.content.inspection import InspectionRules
from glance_mini.imports.copying import Copier, read_file
from glance_mini.imports.methods import Source
from glance_mini.testing.samples import make_image
from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.file import FileDriver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

BLOCK = 64 * 1024
DATA = os.urandom(8 * BLOCK)
NAMES = ("a", "b", "c", "d", "e")


class Gauge:
    """How many writes there are at the moment, and how many there were at most."""

    def __init__(self):
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def change(self, by):
        with self._lock:
            self._now += by
            self.most = max(self.most, self._now)


class GaugedDriver(MemoryDriver):
    """Counts its writes and fails where it shall; what it has written may change by itself."""

    def __init__(self, name, gauge):
        super().__init__(name)
        self.is_broken = False
        self.is_changing = False
        self._gauge = gauge

    def write(self, name, chunks, size=None):
        self._gauge.change(1)
        try:
            if self.is_broken:
                next(iter(chunks))
                raise errors.StorageFull(reason="there is no room")
            data = list(chunks)
            return super().write(name, [data[0][::-1], *data[1:]] if self.is_changing else data, size)
        finally:
            self._gauge.change(-1)


class Going:
    """A control that never stops a job."""

    def __init__(self):
        self.messages = []

    def check(self):
        pass

    def report_progress(self, message):
        self.messages.append(message)


class Chunks:
    """A source that counts what was taken from it."""

    def __init__(self):
        self.taken = 0

    def __iter__(self):
        for start in range(0, len(DATA), BLOCK):
            self.taken += 1
            yield DATA[start : start + BLOCK]

    def close(self):
        pass


class GroupsCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.gauge = Gauge()
        self.drivers = {name: GaugedDriver(name, self.gauge) for name in NAMES}
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        (self.folder / "disk").mkdir()
        disk = Store(FileDriver(str(self.folder / "disk")), "disk")
        self.stores = Stores([*(Store(driver, name) for name, driver in self.drivers.items()), disk])
        self.chunks, self.control = Chunks(), Going()

    def copy(self, *stores, at_once, source=None, may_fail=0):
        copier = Copier(self.stores, InspectionRules(), ImageHashes("sha256"), at_once, report_seconds=0)
        source = source or Source(self.chunks, len(DATA))
        return copier.copy(source, make_image(status="importing"), "name", stores, {}, may_fail, self.control)

    def local(self):
        """Return a local file as a source."""
        path = self.folder / "made"
        path.write_bytes(DATA)
        return Source(read_file(path), len(DATA), path)

    def kept(self):
        """Return the stores that have data, all of which must be right."""
        for driver in self.drivers.values():
            self.assertIn(driver._data.get("name", DATA), (DATA,))
        return [name for name, driver in self.drivers.items() if driver._data]


class TestGroups(GroupsCase):
    def test_as_many_stores_are_written_at_once_as_may_be(self):
        for at_once, most in ((None, 5), (1, 1), (2, 2), (3, 3), (7, 5)):
            self.gauge.most, self.chunks = 0, Chunks()
            copied = self.copy(*NAMES, at_once=at_once)
            self.assertEqual((most, 8), (self.gauge.most, self.chunks.taken))
            self.assertEqual((list(NAMES), list(NAMES)), (list(copied.stored), self.kept()))
            for driver in self.drivers.values():
                driver._data.clear()

    def test_the_option_says_how_many(self):
        configuration = conf.load()
        for option, most in ((0, 5), (2, 2)):
            configuration.set_override("max_parallel_stores", option, "image_import_opts")
            self.gauge.most, self.chunks = 0, Chunks()
            copier = Copier.from_config(configuration, self.stores, Buffers(), [].append)
            image, source = make_image(status="importing"), Source(self.chunks, len(DATA))
            copier.copy(source, image, f"name{most}", NAMES, {}, 0, self.control)
            self.assertEqual(most, self.gauge.most)

    def test_a_local_file_is_read_for_each_group_and_taken_over_by_one_store(self):
        source = self.local()
        copied = self.copy("a", "disk", "b", "c", at_once=2, source=source)
        self.assertEqual((["a", "disk", "b", "c"], 2), (list(copied.stored), self.gauge.most))
        self.assertEqual(source.path.stat().st_ino, (self.folder / "disk" / "name").stat().st_ino)
        self.assertEqual(["a", "b", "c"], self.kept())

    def test_what_is_reported_covers_all_groups(self):
        self.copy("a", "b", at_once=1)
        self.assertEqual(["Copied 6 %", "Copied 12 %"], self.control.messages[:2])
        self.assertEqual(("Copied 50 %", "Copied 100 %"), (self.control.messages[7], self.control.messages[-1]))

    def test_a_store_that_does_not_give_back_what_it_got_is_no_source(self):
        self.drivers["a"].is_changing = True
        self.assertRaises(HashMismatch, self.copy, "a", "b", "c", at_once=1)
        self.assertEqual([], self.kept())


class TestFailures(GroupsCase):
    def break_stores(self, *names):
        for name in names:
            self.drivers[name].is_broken = True

    def refused(self, *stores, **values):
        """Return which stores failed, once nothing is left in any other."""
        error = self.assertRaises(NotWritten, self.copy, *stores, **values)
        self.assertEqual([], self.kept())
        self.assertEqual([], os.listdir(self.folder / "disk"))
        return list(error.failures)

    def test_a_failure_in_any_group_undoes_all_where_none_may_fail(self):
        for broken in "abc":
            self.drivers[broken].is_broken = True
            self.assertEqual([broken], self.refused("a", "b", "c", at_once=2))
            self.assertEqual([broken], self.refused("a", "disk", "b", "c", at_once=1, source=self.local()))
            self.drivers[broken].is_broken = False

    def test_a_failure_in_any_group_is_one_of_its_store_where_it_may_fail(self):
        for broken, works in (("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])):
            self.drivers[broken].is_broken = True
            copied = self.copy("a", "b", "c", at_once=2, may_fail=2)
            self.assertEqual(([broken], works, works), (list(copied.failures), list(copied.stored), self.kept()))
            self.drivers[broken].is_broken = False
            for driver in self.drivers.values():
                driver._data.clear()

    def test_failures_of_all_groups_count_together(self):
        self.break_stores("a", "d")
        self.assertEqual(["a", "d"], self.refused(*NAMES, at_once=2, may_fail=1))
        self.assertEqual(["a", "d"], list(self.copy(*NAMES, at_once=2, may_fail=2).failures))

    def test_where_all_of_the_first_group_fail_a_local_file_is_still_there(self):
        self.break_stores("a", "b")
        copied = self.copy("a", "b", "c", at_once=2, may_fail=2, source=self.local())
        self.assertEqual((["a", "b"], ["c"]), (list(copied.failures), list(copied.stored)))

    def test_where_all_of_the_first_group_fail_a_stream_is_left_at_once(self):
        self.break_stores("a", "b")
        self.assertEqual(["a", "b"], self.refused("a", "b", "c", at_once=2, may_fail=2))
        self.assertLess(self.chunks.taken, 8)
