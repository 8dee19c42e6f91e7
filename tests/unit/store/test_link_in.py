"""Local files that a store takes over without a copy, and stores that cannot."""

import os
from pathlib import Path

import fixtures
import testtools

from glance_mini_store import errors
from glance_mini_store.drivers.file import Directory, FileDriver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store

ELSEWHERE = Path("/dev/shm")


class TestAdopt(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.images = self.root / "images"
        self.images.mkdir()
        self.driver = FileDriver(str(self.images))
        self.store = Store(self.driver, "disk")
        self.file = self.root / "made"
        self.file.write_bytes(b"some data")

    def test_the_file_gets_a_second_name(self) -> None:
        stored = self.store.link_in("name", str(self.file))
        assert stored is not None
        self.assertEqual((f"file://{self.images}/name", 9), (stored.location, stored.size))
        self.assertEqual(self.file.stat().st_ino, (self.images / "name").stat().st_ino)

    def test_it_gets_the_permissions_of_the_store(self) -> None:
        Store(FileDriver(str(self.images), permissions=0o640)).link_in("name", str(self.file))
        self.assertEqual(0o640, (self.images / "name").stat().st_mode & 0o777)

    def test_a_name_that_is_taken_is_refused_by_the_name_of_the_store(self) -> None:
        (self.images / "name").write_bytes(b"first")
        error = self.assertRaises(errors.Duplicate, self.store.link_in, "name", str(self.file))
        self.assertEqual("disk", error.store)
        self.assertEqual(b"first", (self.images / "name").read_bytes())

    def test_a_name_that_leads_elsewhere_is_refused(self) -> None:
        for name in ("../name", ".name", ""):
            self.assertRaises(errors.Invalid, self.store.link_in, name, str(self.file))

    def test_a_symbolic_link_is_not_linked_in(self) -> None:
        link = self.root / "link"
        link.symlink_to(self.file)
        self.assertRaises(errors.StoreError, self.store.link_in, "name", str(link))
        self.assertEqual([], os.listdir(self.images))

    def test_a_file_that_is_gone_is_not_found_and_no_fault_of_the_store(self) -> None:
        self.assertRaises(errors.NotFound, self.store.link_in, "name", str(self.root / "none"))
        self.assertEqual("", self.log.output)

    def test_a_directory_that_is_gone_is_an_error_of_the_store(self) -> None:
        self.images.rmdir()
        self.assertRaises(errors.StoreError, self.store.devices)
        self.assertRaises(errors.StoreError, self.store.link_in, "name", str(self.file))

    def test_a_file_of_another_file_system_is_left_to_a_copy(self) -> None:
        if not ELSEWHERE.is_dir() or ELSEWHERE.stat().st_dev == self.root.stat().st_dev:
            self.skipTest("there is only one file system here")
        there = Path(self.useFixture(fixtures.TempDir(rootdir=str(ELSEWHERE))).path) / "made"
        there.write_bytes(b"some data")
        self.assertIsNone(self.store.link_in("name", str(there)))
        self.assertEqual([], os.listdir(self.images))
        self.assertNotIn(there.stat().st_dev, self.store.devices())

    def test_of_several_directories_one_on_the_same_file_system_takes_it(self) -> None:
        if not ELSEWHERE.is_dir() or ELSEWHERE.stat().st_dev == self.root.stat().st_dev:
            self.skipTest("there is only one file system here")
        other = self.useFixture(fixtures.TempDir(rootdir=str(ELSEWHERE))).path
        store = Store(FileDriver(directories=[Directory(other), Directory(str(self.images))]))
        self.assertEqual(2, len(store.devices()))
        store.link_in("name", str(self.file))
        self.assertEqual(["name"], os.listdir(self.images))

    def test_a_store_without_files_takes_none(self) -> None:
        store = Store(MemoryDriver())
        self.assertEqual(frozenset(), store.devices())
        self.assertIsNone(store.link_in("name", str(self.file)))
        self.assertIsNone(store.local_path(store.write("name", [b"data"]).location))

    def test_the_path_of_data_outside_of_the_store_is_not_shown(self) -> None:
        (self.images / "link").symlink_to(self.file)
        for url in (f"file://{self.file}", f"file://{self.images}/../made"):
            self.assertRaises(errors.BadStoreUri, self.store.local_path, url)
        self.assertRaises(errors.NotFound, self.store.local_path, f"file://{self.images}/link")
