"""How the data of deleted images goes."""

from typing import Any

from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    Conflict,
    Forbidden,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.operations import images, records
from glance_mini.operations.base import Operation
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store import errors as store_errors
from tests.unit.layers.location.case import DATA, DELETED, QUEUED, LocationCase, raising
from tests.unit.layers.location.stores import (
    FailingDriver,
    ReadOnlyDriver,
    multi_store,
    unavailable,
)
from tests.unit.layers.support import OWNER


class TestDeletion(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {"a": FailingDriver("a"), "b": FailingDriver("b")}
        self.locations = tuple(
            Location(driver.put(IMAGE_ID, DATA), {"store": name}) for name, driver in self.drivers.items()
        )
        self.image = make_image(locations=self.locations)
        self.pending = [
            DataRemoval(number, IMAGE_ID, location.url, location.metadata)
            for number, location in enumerate(self.locations, start=1)
        ]

    def delete(self, image: Image | None = None) -> Any:
        stack = self.stand(
            multi_store(**self.drivers), delete_image=make_image(status="deleted"), list_removals=self.pending
        )
        return stack.call(OWNER, images.DeleteImage(IMAGE_ID, image or self.image))

    def left(self) -> list[str]:
        return [name for name, driver in self.drivers.items() if driver.holds(f"memory://{name}/{IMAGE_ID}")]

    def finished(self) -> list[int]:
        return [op.removal_id for op in self.recorder.seen if isinstance(op, records.FinishRemoval)]

    def test_the_record_goes_before_the_bytes_and_the_bytes_before_their_rows(self) -> None:
        def see(context: Context, op: Operation) -> Image:
            order.append((op.name, self.left()))
            return DELETED

        order: list[tuple[str, list[str]]] = []
        stack = self.stand(
            multi_store(**self.drivers), delete_image=see, finish_removal=see, list_removals=self.pending
        )
        stack.call(OWNER, images.DeleteImage(IMAGE_ID, self.image))
        self.assertEqual([("delete_image", ["a", "b"]), ("finish_removal", ["b"]), ("finish_removal", [])], order)

    def test_the_deleted_image_is_the_result(self) -> None:
        self.assertEqual("deleted", self.delete().status)
        self.assertEqual(([1, 2], []), (self.finished(), self.left()))

    def test_an_image_without_data_asks_for_no_deletions(self) -> None:
        self.delete(QUEUED)
        self.assertEqual(["delete_image"], self.recorder.names)

    def test_a_record_that_stays_keeps_its_bytes(self) -> None:
        stack = self.stand(multi_store(**self.drivers), delete_image=raising(Forbidden(reason="protected")))
        self.assertRaises(Forbidden, stack.call, OWNER, images.DeleteImage(IMAGE_ID, self.image))
        self.assertEqual(["a", "b"], self.left())

    def test_bytes_that_are_gone_already_are_fine(self) -> None:
        self.drivers["a"].discard(IMAGE_ID)
        self.delete()
        self.assertEqual([1, 2], self.finished())

    def test_bytes_in_a_store_that_only_reads_are_not_ours_to_delete(self) -> None:
        self.drivers["a"] = ReadOnlyDriver("a")
        self.delete()
        self.assertEqual([1, 2], self.finished())

    def test_data_in_use_brings_the_image_back(self) -> None:
        self.drivers["b"].fails["delete"] = lambda: store_errors.InUseByStore(location=self.locations[1].url)
        error = self.assertRaises(Conflict, self.delete)
        self.assertIn("in use", str(error))
        self.assertEqual(self.image, self.only("undo_deletion").image)
        self.assertEqual([1], self.finished())

    def test_a_store_that_fails_is_left_to_the_reaper_and_holds_up_no_other(self) -> None:
        self.drivers["a"].fails["delete"] = unavailable
        self.assertEqual("deleted", self.delete().status)
        self.assertEqual(([2], ["a"]), (self.finished(), self.left()))
