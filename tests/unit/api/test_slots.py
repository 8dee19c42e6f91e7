"""Slots for requests with slow work."""

import testtools

from glance_mini.api.errors import TooBusy, TooManyLocations
from glance_mini.api.transfer_slots import LocationSlots, TransferSlots
from glance_mini.domain.context import Context

WEB = ["file:///a", "HTTPS://example.org/a"]


class TestLocationSlots(testtools.TestCase):
    def test_one_project_gets_half_of_the_slots(self) -> None:
        slots = LocationSlots(4)
        with slots.look("a", WEB), slots.look("a", WEB):
            self.assertRaises(TooManyLocations, slots.look("a", WEB).__enter__)
            with slots.look("b", WEB), slots.look(None, WEB):
                self.assertRaises(TooManyLocations, slots.look("c", WEB).__enter__)
            with slots.look("c", WEB):
                pass

    def test_slot_is_given_back_after_an_error(self) -> None:
        slots = LocationSlots(1)

        def fail() -> None:
            with slots.look("a", WEB):
                raise ValueError

        for _ in range(3):
            self.assertRaises(ValueError, fail)

    def test_locations_that_are_on_no_web_server_need_no_slot(self) -> None:
        slots = LocationSlots(1)
        with slots.look("a", WEB), slots.look("a", ["file:///a", "rbd://pool/a"]), slots.look("a", []):
            pass


class TestTransferSlots(testtools.TestCase):
    def test_one_project_gets_its_share(self) -> None:
        slots = TransferSlots(4, 2)
        one, other = Context(project_id="a"), Context(project_id="b")
        release = slots.take(one)
        slots.take(one)
        self.assertRaises(TooBusy, slots.take, one)
        slots.take(other)
        release()
        release()
        slots.take(one)
        self.assertRaises(TooBusy, slots.take, one)
        slots.take(other)
        self.assertRaises(TooBusy, slots.take, Context(project_id="c"))

    def test_administrators_and_services_may_have_all(self) -> None:
        for caller in (
            Context(project_id="a", is_admin=True),
            Context(project_id="a", roles=("service",)),
            Context(project_id="a", service_roles=("service",)),
        ):
            slots = TransferSlots(4, 1)
            for _ in range(4):
                slots.take(caller)
            self.assertRaises(TooBusy, slots.take, caller)
