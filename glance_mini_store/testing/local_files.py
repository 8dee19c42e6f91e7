"""Data that is a file of this machine."""

import contextlib
import os
import tempfile

from glance_mini_store import errors
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import new_name


class LocalFileTests(DriverCase):
    """Files that are given out and taken in."""

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


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
