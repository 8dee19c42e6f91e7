"""The file driver keeps the driver contract, in one directory and in several, with and without holes."""

import os

from fixtures import TempDir
from testtools import TestCase

from glance_mini_store.driver import Driver
from glance_mini_store.drivers.file import Directory, FileDriver
from glance_mini_store.testing import DriverContract


class TestFile(DriverContract, TestCase):
    def make_driver(self) -> Driver:
        self.directory = self.useFixture(TempDir()).path
        return FileDriver(directory=self.directory)

    def leftovers(self) -> list[str]:
        return sorted(os.listdir(self.directory))


class TestFileInSeveralDirectories(DriverContract, TestCase):
    def make_driver(self) -> Driver:
        self.directories = [Directory(self.useFixture(TempDir()).path, priority) for priority in (5, 10, 10)]
        return FileDriver(directories=self.directories, thin=False)

    def leftovers(self) -> list[str]:
        found = {name for directory in self.directories for name in os.listdir(directory.path)}
        return sorted(found - {".names.lock"})
