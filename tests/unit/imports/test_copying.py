"""What is known of data once it was copied, and what each copy cost."""

import hashlib
import os
from pathlib import Path

import fixtures
import testtools

from glance_mini.content.fanout import NotWritten
from glance_mini.content.hashes import ImageHashes
from glance_mini.content.inspection import InspectionRules
from glance_mini.domain.errors import UnsafeContent
from glance_mini.imports.copying import Copier, read_file
from glance_mini.imports.methods import Source
from glance_mini.testing.samples import make_image
from glance_mini.workers.base import JobStopped
from glance_mini_store import errors
from glance_mini_store.drivers.file import FileDriver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from glance_mini_store.streams import BLOCK
from tests.unit.content.disk_images import qcow2

DATA = os.urandom(2 * BLOCK + 5)


class Going:
    """A control that stops a job after some blocks."""

    def __init__(self, blocks=1000):
        self._left = blocks

    def check(self):
        if not self._left:
            raise JobStopped(reason="The worker is ending.")
        self._left -= 1

    def checkpoint(self, values, message=""):
        self.check()

    def tell(self, message):
        self.check()


class Chunks:
    """A source that knows whether it was closed."""

    def __init__(self, data):
        self.is_closed = False
        self._blocks = (data[start : start + BLOCK] for start in range(0, len(data), BLOCK))

    def __iter__(self):
        return self._blocks

    def close(self):
        self.is_closed = True


class CopierTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        stores = []
        for name in ("first", "second"):
            (self.root / name).mkdir()
            stores.append(Store(FileDriver(str(self.root / name)), name))
        self.stores = Stores([*stores, Store(MemoryDriver("memory"), "memory")])
        self.copier = Copier(self.stores, InspectionRules(), ImageHashes())
        self.file = self.root / "made"
        self.file.write_bytes(DATA)

    def copy(self, source, *stores, image=None, expected=None, may_fail=0, control=None):
        """Return what became of ``source``."""
        image = image or make_image(status="importing")
        return self.copier.copy(source, image, "name", stores, expected or {}, may_fail, control or Going())

    def local(self):
        """Return a local file as a source."""
        return Source(read_file(self.file), len(DATA), self.file)

    def names(self):
        """Return what the stores of files hold."""
        return [os.listdir(self.root / name) for name in ("first", "second")]

    def test_size_and_hashes_are_those_of_the_data(self):
        for source in (self.local(), Source(Chunks(DATA), None)):
            copied = self.copy(source, "memory", "first")
            self.assertEqual((len(DATA), len(DATA)), (copied.size, copied.virtual_size))
            self.assertEqual(hashlib.md5(DATA).hexdigest(), copied.digests["md5"])
            self.assertEqual(hashlib.sha512(DATA).hexdigest(), copied.digests["sha512"])
            self.assertEqual(["memory", "first"], list(copied.stored))
            self.copier.discard(["name"], ["memory", "first"])

    def test_only_one_store_takes_a_file_over(self):
        self.copy(self.local(), "memory", "second", "first")
        self.assertEqual(self.file.stat().st_ino, (self.root / "second" / "name").stat().st_ino)
        self.assertNotEqual(self.file.stat().st_ino, (self.root / "first" / "name").stat().st_ino)
        self.assertEqual(DATA, (self.root / "first" / "name").read_bytes())

    def test_data_that_is_refused_is_taken_over_by_nobody(self):
        self.file.write_bytes(qcow2(backing_file="/etc/passwd"))
        image = make_image(status="importing", disk_format="qcow2")
        source = Source(read_file(self.file), self.file.stat().st_size, self.file)
        self.assertRaises(UnsafeContent, self.copy, source, "first", "second", image=image)
        self.assertEqual([[], []], self.names())

    def test_data_is_judged_by_the_format_that_its_source_tells(self):
        source = Source(Chunks(qcow2()), None, attributes={"disk_format": "qcow2"})
        self.assertEqual(64 * BLOCK, self.copy(source, "memory").virtual_size)

    def test_data_in_a_container_is_not_inspected(self):
        image = make_image(status="importing", container_format="ova")
        self.assertIsNone(self.copy(self.local(), "memory", image=image).virtual_size)

    def test_what_cannot_be_taken_over_undoes_the_other_copies(self):
        (self.root / "first" / "name").write_bytes(b"older data")
        error = self.assertRaises(NotWritten, self.copy, self.local(), "first", "second", "memory")
        self.assertIsInstance(error.failures["first"], errors.Duplicate)
        self.assertEqual([], self.names()[1])

    def test_what_cannot_be_taken_over_is_a_failure_of_its_store_alone(self):
        (self.root / "first" / "name").write_bytes(b"older data")
        copied = self.copy(self.local(), "first", "second", may_fail=1)
        self.assertEqual((["first"], ["second"]), (list(copied.failures), list(copied.stored)))

    def test_a_store_whose_directory_is_gone_fails_alone(self):
        (self.root / "first").rmdir()
        copied = self.copy(self.local(), "first", "second", may_fail=1)
        self.assertEqual((["first"], ["second"]), (list(copied.failures), list(copied.stored)))

    def test_a_job_that_must_stop_leaves_nothing(self):
        for blocks in range(3):
            self.assertRaises(JobStopped, self.copy, self.local(), "first", "second", control=Going(blocks))
            self.assertEqual([[], []], self.names())

    def test_the_source_is_closed_in_any_case(self):
        for control in (Going(), Going(1)):
            chunks = Chunks(DATA)
            try:
                self.copy(Source(chunks, None), "memory", control=control)
            except JobStopped:
                """As one of them must."""
            self.assertTrue(chunks.is_closed)
            self.copier.discard(["name"], ["memory"])
