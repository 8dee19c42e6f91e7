"""Data that nothing refers to any more is removed."""

from glance_mini.domain.changes import LocationChange
from glance_mini.domain.image import Location
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import DataRemoval
from glance_mini.maintenance.reaper import RETRY_REMOVAL
from glance_mini.maintenance.removal import remove_data
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import (
    DiscardStaged,
    FinishRemoval,
    ListRemovals,
    MarkDeleted,
    RecordStaged,
    TakeDueRemovals,
    UndoDeletion,
)
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store import errors as store_errors
from tests.unit.layers.location.stores import FailingDriver, ReadOnlyDriver, multi_store, unavailable
from tests.unit.maintenance.case import DatabaseCase


class TestDeletions(DatabaseCase):
    def delete(self, image_id: str = IMAGE_ID, **metadata: str) -> str:
        """Return where the data of an image was, whose record is deleted."""
        url = self.driver.put(image_id, b"data")
        location = Location(url, {"store": "a", **metadata})
        self.data.run(creation(make_image(id=image_id, locations=(location,))))
        self.data.run(MarkDeleted(image_id))
        return url

    def test_data_whose_deletion_was_not_finished_is_deleted(self) -> None:
        url = self.delete()
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertFalse(self.driver.holds(url))
        self.assertEqual([], list(self.data.run(ListRemovals(IMAGE_ID))))

    def test_data_on_another_nodes_own_disk_is_left_to_that_node(self) -> None:
        transfer = self.begin(node_url="https://node2")
        url = self.driver.put(transfer.name, b"data")
        self.data.run(RecordStaged(transfer, StagedData(IMAGE_ID, "a", url, 4, "https://node2")))
        self.data.run(DiscardStaged(IMAGE_ID))
        for node_url, is_left in (("https://node1", True), (None, True), ("https://node2", False)):
            self.die()
            self.assertEqual(int(not is_left), self.make_reaper(node_url=node_url).reap())
            self.assertEqual(is_left, self.driver.holds(url))
            self.assertEqual(int(is_left), len(self.data.run(ListRemovals(IMAGE_ID))))

    def test_data_of_a_user_stays_and_is_forgotten(self) -> None:
        url = self.delete(os_glance_version="etag")
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertTrue(self.driver.holds(url))
        self.assertEqual([], list(self.data.run(ListRemovals(IMAGE_ID))))

    def test_host_in_the_metadata_of_a_users_location_binds_nobody(self) -> None:
        url = self.delete(node_url="https://node2")
        self.die()
        self.assertEqual(1, self.make_reaper(node_url="https://node1").reap())
        self.assertFalse(self.driver.holds(url))

    def test_data_that_its_image_was_given_back_while_others_were_deleted_stays(self) -> None:
        first, second = self.delete("image-1"), self.delete("image-2")
        images = {url: make_image(id=url[-7:], locations=(Location(url, {"store": "a"}),)) for url in (first, second)}

        class GivingBack(FailingDriver):
            def delete(driver, location: str) -> None:
                self.driver.delete(location)
                for url in {first, second} - {location}:
                    self.data.run(UndoDeletion(images[url]))

        self.die()
        self.assertEqual(2, self.make_reaper(stores=multi_store(a=GivingBack("a"))).reap())
        self.assertEqual([False, True], [self.driver.holds(url) for url in (first, second)])

    def test_deletion_that_another_one_has_taken_while_others_were_deleted_is_left_to_it(self) -> None:
        urls = [self.delete("image-1"), self.delete("image-2")]
        self.die()
        deleted: list[str] = []

        class Slow(FailingDriver):
            def delete(driver, location: str) -> None:
                deleted.append(location)
                self.clock.move(RETRY_REMOVAL)
                self.data.run(TakeDueRemovals(RETRY_REMOVAL))

        self.make_reaper(stores=multi_store(a=Slow("a"))).reap()
        self.assertEqual(urls[:1], deleted)
        self.assertEqual(1, len(self.data.run(ListRemovals("image-2"))))

    def test_a_new_deletion_is_first_left_to_the_request_that_made_it(self) -> None:
        url = self.delete()
        self.assertEqual(0, self.make_reaper().reap())
        self.assertTrue(self.driver.holds(url))

    def test_a_store_that_fails_is_tried_again_later_and_holds_up_no_other(self) -> None:
        bad, good = self.delete("image-bad"), self.delete("image-good")
        self.die()

        def only_bad() -> Exception:
            return store_errors.InUseByStore(location=bad)

        class Picky(FailingDriver):
            def delete(driver, location: str) -> None:
                if location == bad and "delete" in self.driver.fails:
                    raise only_bad()
                self.driver.discard(location.rpartition("/")[2])

        self.driver.fails["delete"] = only_bad
        reaper = self.make_reaper(stores=multi_store(a=Picky("a")))
        self.assertEqual((2, 0), (reaper.reap(), reaper.reap()))
        self.assertEqual((True, False), (self.driver.holds(bad), self.driver.holds(good)))
        del self.driver.fails["delete"]
        self.clock.move(RETRY_REMOVAL)
        self.assertEqual((1, 0), (reaper.reap(), reaper.reap()))
        self.assertFalse(self.driver.holds(bad))

    def test_a_removed_location_is_deleted_too(self) -> None:
        places = tuple(Location(self.driver.put(name, b"data"), {"store": "a"}) for name in ("one", "two"))
        self.data.run(creation(make_image(locations=places)))
        self.data.run(UpdateImage(IMAGE_ID, changes=(LocationChange("remove", 0),)))
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertEqual([False, True], [self.driver.holds(place.url) for place in places])

    def test_what_is_gone_or_was_never_ours_counts_as_removed(self) -> None:
        stores = multi_store(a=self.driver, web=ReadOnlyDriver("web"))
        for url, store in (("memory://a/gone", "a"), ("memory://web/there", "web")):
            ended: list[FinishRemoval] = []
            removal = DataRemoval(1, IMAGE_ID, url, {"store": store})
            self.assertTrue(remove_data(stores, None, removal, ended.append))
            self.assertEqual([FinishRemoval(1)], ended)

    def test_what_is_on_another_nodes_disk_is_left_to_it(self) -> None:
        removal = DataRemoval(1, IMAGE_ID, "memory://a/x", {"store": "a"}, "http://node2")
        self.assertFalse(remove_data(self.stores, "http://node1", removal, self.fail))

    def test_what_may_work_later_is_an_error(self) -> None:
        self.driver.fails["delete"] = unavailable
        table = {"memory://a/x": "a", "memory://z/x": "z", "rbd://x": None}
        for url, store in table.items():
            deletion = DataRemoval(1, IMAGE_ID, url, {"store": store} if store else {})
            self.assertRaises(store_errors.StoreError, remove_data, self.stores, None, deletion, self.fail)
