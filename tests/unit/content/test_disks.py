"""Files of chains as stores hold them."""

import os
from pathlib import Path

import testtools
from fixtures import TempDir

from glance_mini.content.disks import Disks, StoredFile
from glance_mini.domain.image import Location
from glance_mini.metrics import Metrics
from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores


class TestLocalFiles(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.useFixture(TempDir()).path)
        self.disks = Disks(Stores([Store(FileDriver(str(self.folder)))]), Metrics())

    def source(self, *names: str, size: int = 10) -> StoredFile:
        """Return ``size`` bytes in files of the store."""
        locations = [Location(f"file://{self.folder / name}") for name in names]
        source = self.disks.level_at(locations, size, "raw").source
        assert isinstance(source, StoredFile)
        return source

    def test_file_stays_open_while_it_is_read_and_no_longer(self) -> None:
        (self.folder / "a").write_bytes(b"0123456789")
        source = self.source("a")
        before = len(os.listdir("/proc/self/fd"))
        self.assertEqual(b"234", source.read(2, 3))
        (self.folder / "a").unlink()
        self.assertEqual([b"0123456789", b"9"], [source.read(0, 10), source.read(9, 1)])
        self.assertEqual(before + 1, len(os.listdir("/proc/self/fd")))
        del source
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_next_location_is_read_if_the_first_is_missing(self) -> None:
        (self.folder / "b").write_bytes(b"0123456789")
        self.assertEqual(b"234", self.source("a", "b").read(2, 3))
