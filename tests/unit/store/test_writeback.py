"""Files on their way to disk: what the kernel is told while they are written."""

import os
from collections.abc import Iterator

from fixtures import MonkeyPatch

from glance_mini_store.drivers.file import writeback
from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.store import Store
from tests.unit.store.test_file_driver import FileTestCase

KIB = 1024


class TestWriteback(FileTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(MonkeyPatch("glance_mini_store.drivers.file.writeback.WINDOW", 4 * KIB))
        self.useFixture(MonkeyPatch("glance_mini_store.drivers.file.driver.COPY_KEPT", 6 * KIB))
        self.told: list[tuple[int, int]] = []
        self.useFixture(MonkeyPatch("os.posix_fadvise", self._advise))
        self.store = Store(self.driver)
        self.data = os.urandom(11 * KIB)

    def _advise(self, handle: int, start: int, length: int, advice: int) -> None:
        self.assertEqual(os.POSIX_FADV_DONTNEED, advice)
        self.told.append((start // KIB, (start + length) // KIB))

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), KIB):
            yield self.data[start : start + KIB]

    def test_the_kernel_begins_to_write_each_window_once(self) -> None:
        self.store.write("one", self.chunks())
        self.assertEqual([(0, 4), (4, 8)], self.told)

    def test_of_a_copy_only_the_end_stays_in_memory(self) -> None:
        stored = self.store.write("one", self.chunks(), is_copy=True)
        self.assertEqual([(0, 4), (4, 8), (0, 2)], self.told)
        self.assertEqual(self.data, b"".join(self.store.read(stored.location)))

    def test_a_file_system_that_takes_no_hints_takes_the_file(self) -> None:
        def refuse(*_arguments: object) -> None:
            raise OSError(22, "Invalid argument")

        self.useFixture(MonkeyPatch("os.posix_fadvise", refuse))
        stored = self.store.write("one", self.chunks(), is_copy=True)
        self.assertEqual(self.data, b"".join(self.store.read(stored.location)))

    def test_small_files_are_not_advised(self) -> None:
        FileDriver(directory=str(self.images)).write("small", [b"x" * KIB])
        self.assertEqual([], self.told)
        self.assertLess(writeback.WINDOW, writeback.COPY_KEPT)
