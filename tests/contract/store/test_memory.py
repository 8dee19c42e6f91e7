"""The memory driver keeps the driver contract."""

from testtools import TestCase

from glance_mini_store.driver import Driver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.testing import DriverContract


class TestMemory(DriverContract, TestCase):
    def make_driver(self) -> Driver:
        return MemoryDriver("contract")
