"""Drivers are found by name, and one that was written for another contract is refused."""

from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.driver import CONTRACT, Driver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.loading import NAMESPACE, load_driver
from tests.unit.entry_points import installed


class OfNextContract(MemoryDriver):
    contract = CONTRACT + 1


class TestLoading(TestCase):
    def test_drivers_of_the_library_are_for_its_contract(self) -> None:
        self.assertEqual(1, CONTRACT)
        for name in ("file", "http", "memory"):
            self.assertEqual(CONTRACT, load_driver(name).contract)

    def test_driver_without_a_number_is_for_the_first_contract(self) -> None:
        self.assertEqual(1, Driver.contract)

    def test_driver_of_another_contract_is_refused_with_both_numbers(self) -> None:
        with installed(NAMESPACE, ("next", f"{__name__}:OfNextContract")):
            error = self.assertRaises(errors.DriverLoadFailure, load_driver, "next")
        self.assertEqual(
            "driver next cannot be loaded: it is for driver contract 2; this release supports 1", str(error)
        )
