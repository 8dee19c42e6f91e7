"""The test case under the suite: the driver, and what an author overrides."""

import unittest
from typing import TYPE_CHECKING

from glance_mini_store import errors
from glance_mini_store.driver import Driver
from glance_mini_store.store import Store
from glance_mini_store.testing.content import new_name, pieces

if TYPE_CHECKING:
    _Mixin = unittest.TestCase
else:
    _Mixin = object


class DriverCase(_Mixin):
    """A test of a driver; ``self.driver`` is the driver, ``self.store`` a Store around it."""

    def make_driver(self) -> Driver:
        """Return a driver on an empty backend of its own; called once for each test."""
        raise NotImplementedError

    def put(self, name: str, data: bytes) -> str:
        """Store ``data`` in the backend and return its location."""
        return self.driver.write(name, pieces(data), len(data)).location

    def missing_location(self) -> str:
        """Return a valid location without data; override it for a driver that cannot delete."""
        location = self.put(new_name(), b"soon gone")
        self.driver.delete(location)
        return location

    def leftovers(self) -> list[str]:
        """Return everything in the backend; override it if the backend can be listed."""
        return []

    def setUp(self) -> None:
        """Create the driver."""
        super().setUp()
        self.driver = self.make_driver()
        self.addCleanup(self.driver.close)
        self.store = Store(self.driver, "contract")

    def needs(self, *wanted: str) -> None:
        """Skip the test unless the driver has all the capabilities."""
        lacking = [word for word in wanted if word not in self.driver.capabilities]
        if lacking:
            self.skipTest(f"the driver cannot {', '.join(lacking)}")

    def content(self, location: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes at ``location`` as the store reads them."""
        return b"".join(self.store.read(location, offset, length))

    def assert_gone(self, location: str) -> None:
        """Fail unless nothing can be read at ``location``."""
        with self.assertRaises(errors.NotFound):
            self.content(location)
        with self.assertRaises(errors.NotFound):
            self.driver.size(location)

    def used_name(self) -> tuple[str, str]:
        """Return a name and the location of its data, which was deleted."""
        name = new_name()
        location = self.put(name, b"soon gone")
        self.driver.delete(location)
        return name, location
