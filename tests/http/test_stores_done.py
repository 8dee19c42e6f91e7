"""What one store has of an image and loses (api-stores-delete)."""

from glance_mini_store import errors
from glance_mini_store.drivers.memory import MemoryDriver
from tests.http.working import BODY, WorkingTest


class BusyDriver(MemoryDriver):
    """A store whose data has snapshots."""

    def delete(self, location: str) -> None:
        raise errors.HasSnapshot(location=location)


class TestDeleteFromStore(WorkingTest):
    """An image in two stores. What is refused: ``delete_from_store.yaml`` (api-stores-delete)."""

    def setUp(self) -> None:
        super().setUp()
        self.image_id = self.uploaded()
        self.run_import(self.image_id, "copy-image", "admin", stores=["cheap"])

    def delete(self, store: str, caller: str = "admin") -> int:
        """Return the status of the answer."""
        return int(self.send("DELETE", f"/v2/stores/{store}/{self.image_id}", caller=caller).status_int)

    def stores(self) -> str:
        """Return where the image says that it is."""
        return str(self.show(self.image_id)["stores"])

    def test_the_data_is_gone_from_that_store_and_read_from_the_other(self) -> None:
        self.assertEqual(204, self.delete("fast"))
        self.assertEqual(([0, 1], "cheap"), (self.kept("fast", "cheap"), self.stores()))
        self.assertEqual(BODY, self.data(self.image_id))
        self.assertEqual(404, self.delete("fast"))

    def test_the_last_copy_stays(self) -> None:
        self.assertEqual(204, self.delete("cheap"))
        self.assertEqual(403, self.delete("fast"))
        self.assertEqual(([1, 0], "fast"), (self.kept("fast", "cheap"), self.stores()))

    def test_an_unknown_store_is_a_conflict(self) -> None:
        for store in ("slow", "os_glance_staging_store"):
            self.assertEqual(409, self.delete(store))

    def test_a_store_without_data_of_the_image_has_nothing_to_delete(self) -> None:
        self.assertEqual(404, self.delete("web"))

    def test_an_image_that_is_not_active_keeps_its_data(self) -> None:
        self.send("POST", f"/v2/images/{self.image_id}/actions/deactivate")
        self.assertEqual(409, self.delete("fast"))
        self.assertEqual(([1, 1], "cheap,fast"), (self.kept("fast", "cheap"), self.stores()))

    def test_data_in_use_stays_and_belongs_to_the_image(self) -> None:
        store = self.service.services.stores.get("cheap")
        idle, busy = self.driver("cheap"), BusyDriver("cheap")
        busy._data = idle._data
        store.driver = busy
        self.assertEqual(409, self.delete("cheap"))
        self.assertEqual(([1, 1], "cheap,fast"), (self.kept("fast", "cheap"), self.stores()))
        store.driver = idle
        self.assertEqual(204, self.delete("cheap"))
        self.assertEqual(([1, 0], "fast"), (self.kept("fast", "cheap"), self.stores()))

    def test_a_copy_that_was_deleted_can_be_made_again(self) -> None:
        self.assertEqual(204, self.delete("cheap"))
        self.run_import(self.image_id, "copy-image", "admin", all_stores=True)
        self.assertEqual(([1, 1], "cheap,fast"), (self.kept("fast", "cheap"), self.stores()))

    def test_only_administrators_may(self) -> None:
        self.assertEqual([403, 403, 404], [self.delete("fast", caller) for caller in ("member", "reader", "other")])
