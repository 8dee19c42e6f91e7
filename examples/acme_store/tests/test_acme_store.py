"""The acme driver keeps the driver contract, and its own promises about files."""

import os
import tempfile
import unittest

from acme_store import HEADER, MAGIC, AcmeDriver

from glance_mini_store import errors
from glance_mini_store.driver import Driver
from glance_mini_store.testing import DriverContract


class TestAcme(DriverContract, unittest.TestCase):
    def make_driver(self) -> Driver:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        driver = AcmeDriver(self.directory, "packed")
        driver.check()
        return driver

    def leftovers(self) -> list[str]:
        return sorted(name for _, _, names in os.walk(self.directory) for name in names)

    def file_of(self, name: str) -> str:
        return os.path.join(self.directory, name[:2], name)

    def test_data_is_compressed(self) -> None:
        self.driver.write("zeros", [bytes(1_000_000)])
        self.assertLess(os.path.getsize(self.file_of("zeros")), 10_000)

    def test_unknown_version_is_refused(self) -> None:
        location = self.driver.write("later", [b"data"]).location
        with open(self.file_of("later"), "r+b") as file:
            file.write(HEADER.pack(MAGIC, 2, 4))
        for call in (self.driver.size, self.driver.read):
            with self.assertRaises(errors.RemoteServiceUnavailable):
                call(location)

    def test_damaged_file_is_an_error_and_no_short_answer(self) -> None:
        location = self.driver.write("broken", [os.urandom(10_000)]).location
        os.truncate(self.file_of("broken"), 5_000)
        with self.assertRaises(errors.SizeMismatch):
            list(self.driver.read(location))


if __name__ == "__main__":
    unittest.main()
