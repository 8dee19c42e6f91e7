"""Data that leaves one store of several."""

from typing import Any, cast

import testtools

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Conflict, NotFound, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations.locations import DeleteFromStore
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores
from tests.unit.layers.location.stores import FailingDriver, multi_store, one_store
from tests.unit.layers.support import ADMIN, stand


class TestDeleteFromStore(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {"a": FailingDriver("a"), "b": FailingDriver("b")}
        self.locations = tuple(
            Location(driver.put("x", b"0123"), {"store": name}, id=number)
            for number, (name, driver) in enumerate(self.drivers.items())
        )
        self.image = make_image(locations=self.locations)

    def delete(self, store: str = "b", image: Image | None = None, stores: Stores | None = None) -> Any:
        leases = LeaseKeeper(cast(DataAccess, None), 60)
        layer = LocationLayer(stores or multi_store(**self.drivers), leases, Metrics())
        gone = self.locations[1]
        stack, self.recorder = stand(
            layer,
            update_image=make_image(locations=self.locations[:1]),
            list_removals=[DataRemoval(7, IMAGE_ID, gone.url, gone.metadata)],
        )
        return stack.call(ADMIN, DeleteFromStore(IMAGE_ID, image or self.image, store))

    def changes(self) -> list[Any]:
        return [change for op in self.recorder.seen for change in getattr(op, "changes", ())]

    def test_the_record_goes_and_then_the_data(self) -> None:
        self.assertEqual(self.locations[:1], self.delete().locations)
        self.assertEqual(["update_image", "list_removals", "finish_removal"], self.recorder.names)
        (change,) = self.changes()
        self.assertEqual(("remove", None, (self.locations[1],)), (change.action, change.position, change.locations))
        self.assertFalse(self.drivers["b"].holds(self.locations[1].url))

    def test_data_in_use_comes_back_to_the_image(self) -> None:
        self.drivers["b"].fails["delete"] = lambda: store_errors.HasSnapshot(location=self.locations[1].url)
        self.assertIn("snapshots", str(self.assertRaises(Conflict, self.delete)))
        self.assertEqual(
            ["update_image", "list_removals", "list_removals", "update_image", "finish_removal"],
            self.recorder.names,
        )
        back = self.changes()[1]
        (location,) = back.locations
        self.assertEqual(("add", self.locations[1].url, None), (back.action, location.url, location.id))

    def test_a_store_that_fails_is_left_to_the_reaper(self) -> None:
        self.drivers["b"].fails["delete"] = lambda: store_errors.RemoteServiceUnavailable(reason="cable cut")
        self.delete()
        self.assertEqual(["update_image", "list_removals"], self.recorder.names)

    def test_what_cannot_be_deleted(self) -> None:
        table: list[tuple[type[Exception], dict[str, Any]]] = [
            (Conflict, {"store": "nonesuch"}),
            (StatusConflict, {"image": make_image(status="deactivated", locations=self.locations)}),
            (NotFound, {"image": make_image(locations=self.locations[:1])}),
            (NotFound, {"stores": one_store(self.drivers["a"])}),
        ]
        for error, values in table:
            self.assertRaises(error, self.delete, **values)
            self.assertEqual([], self.recorder.names)
