"""Leases while a process lives, and the reaper after it died."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import fixtures
import testtools

from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.transfers import ABANDONED
from glance_mini.domain.cause import Cause
from glance_mini.domain.changes import LocationChange
from glance_mini.domain.errors import GlanceMiniError, TransferLost, Unavailable
from glance_mini.domain.image import Image, Location
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import DataRemoval, StoredData, Transfer
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.maintenance.reaper import RETRY_REMOVAL, Reaper
from glance_mini.maintenance.removal import remove_data
from glance_mini.metrics import Metrics
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import (
    AbortTransfer,
    BeginTransfer,
    CountUsage,
    DiscardStaged,
    FinishRemoval,
    ListRemovals,
    LoadImage,
    MarkDeleted,
    RecordData,
    RecordStaged,
    RenewLeases,
    TakeDueRemovals,
    TakeExpiredTransfers,
    UndoDeletion,
)
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image
from glance_mini.testing.timed import TimedAccess
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores
from tests.unit.layers.location.stores import FailingDriver, ReadOnlyDriver, multi_store, unavailable
from tests.unit.layers.support import count, make_database

LEASE = timedelta(seconds=60)
WAIT = 10.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = TIME

    def __call__(self) -> datetime:
        return self.now

    def move(self, step: timedelta) -> None:
        self.now += step


class TestLeases(testtools.TestCase):
    """What is asked of the data access is the whole of what a lease keeper does."""

    def setUp(self) -> None:
        super().setUp()
        self.data = Renewing()
        self.leases = LeaseKeeper(self.data, 60)

    def test_only_what_is_held_is_renewed(self) -> None:
        self.leases.renew()
        self.assertEqual([], self.data.calls)
        with self.leases.holding("a"), self.leases.holding("b"):
            self.leases.renew()
        with self.leases.holding("b"):
            self.leases.renew()
        self.leases.renew()
        held = [frozenset({"a", "b"}), frozenset({"b"})]
        self.assertEqual([RenewLeases(self.leases.process, each, LEASE) for each in held], self.data.calls)

    def test_a_lease_is_not_held_after_its_block_however_that_ends(self) -> None:
        def fail() -> None:
            with self.leases.holding("a"):
                raise KeyError

        self.assertRaises(KeyError, fail)
        self.assertEqual(frozenset(), self.leases.held())

    def test_a_failing_renewal_is_logged_and_the_next_one_works(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        self.data.failures.append(Unavailable(reason="no database"))
        self.run_in_thread()
        self.assertIn("The leases of transfers were not renewed: no database", log.output)
        self.assertEqual([], self.data.failures)

    def test_every_keeper_is_another_process(self) -> None:
        self.assertNotEqual(self.leases.process, LeaseKeeper(self.data, 60).process)

    def test_the_thread_renews_until_it_is_closed(self) -> None:
        before = set(threading.enumerate())
        leases = self.run_in_thread()
        (thread,) = (one for one in threading.enumerate() if one.name == "leases" and one not in before)
        leases.close()
        thread.join(WAIT)
        self.assertFalse(thread.is_alive())

    def run_in_thread(self) -> LeaseKeeper:
        """Return a keeper whose thread has renewed a lease."""
        leases = LeaseKeeper(self.data, 0)
        self.addCleanup(leases.close)
        with leases.holding("a"):
            leases.start()
            self.assertTrue(self.data.is_renewed.wait(WAIT))
        return leases


class Renewing(DataAccess):
    """A data access that keeps the renewals it is asked for; ``failures`` are raised before."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.failures: list[Exception] = []
        self.is_renewed = threading.Event()

    def run(self, call: Any, now: datetime | None = None, cause: Cause | None = None) -> Any:
        if self.failures:
            raise self.failures.pop()
        self.calls.append(call)
        self.is_renewed.set()

    def close(self) -> None:
        pass


class DatabaseCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.data = TimedAccess(self.open_database(), self.clock)
        self.driver = FailingDriver("a")
        self.stores = multi_store(a=self.driver)
        self.metrics = Metrics()
        self.leases = self.make_leases()

    def open_database(self) -> SqlDataAccess:
        return make_database(self)

    def make_leases(self) -> LeaseKeeper:
        return LeaseKeeper(self.data, 60)

    def make_reaper(
        self, leases: LeaseKeeper | None = None, stores: Stores | None = None, node_url: str | None = None
    ) -> Reaper:
        return Reaper(self.data, stores or self.stores, leases or self.leases, self.metrics, 20, node_url)

    def begin(
        self, image_id: str = IMAGE_ID, leases: LeaseKeeper | None = None, store: str = "a", node_url: str | None = None
    ) -> Transfer:
        """Return a transfer of a new image that another process, or that of ``leases``, has begun."""
        image = make_image(id=image_id, status="queued", size=None, locations=())
        self.data.run(creation(image))
        holder = leases or self.make_leases()
        transfer = Transfer(
            id=f"transfer-{image_id[:8]}",
            image_id=image_id,
            project_id="p1",
            process=holder.process,
            store=store,
            name=image_id,
            reserved=10,
            node_url=node_url,
        )
        self.data.run(BeginTransfer(transfer, LEASE))
        return transfer

    def image(self, image_id: str = IMAGE_ID) -> Image:
        return self.data.run(LoadImage(image_id))

    def usage(self) -> tuple[int, int]:
        found = self.data.run(CountUsage("p1"))
        return found[IMAGE_SIZE_TOTAL], found[IMAGE_COUNT_UPLOADING]

    def die(self) -> None:
        """Let so much time pass that leases which are not renewed have ended."""
        self.clock.move(LEASE + timedelta(seconds=1))


class TestExpiredTransfers(DatabaseCase):
    def test_a_living_transfer_is_left_alone(self) -> None:
        self.begin()
        self.clock.move(LEASE - timedelta(seconds=1))
        self.assertEqual(0, self.make_reaper().reap())
        self.assertEqual(("saving", (10, 1)), (self.image().status, self.usage()))

    def test_a_dead_transfer_loses_its_data_and_its_image_is_queued_again(self) -> None:
        self.begin()
        location = self.driver.put(IMAGE_ID, b"half")
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertEqual(("queued", None, ()), (self.image().status, self.image().size, self.image().locations))
        self.assertFalse(self.driver.holds(location))
        self.assertEqual((0, 0), self.usage())
        self.assertEqual(1, count(self.metrics.leases_expired))
        self.assertEqual(0, self.make_reaper().reap())

    def test_the_data_goes_before_the_image_is_free(self) -> None:
        self.begin()
        seen: list[str] = []

        class Watching(FailingDriver):
            def discard(driver, name: str) -> None:
                seen.append(self.image().status)

        self.die()
        self.make_reaper(stores=multi_store(a=Watching("a"))).reap()
        self.assertEqual((["saving"], "queued"), (seen, self.image().status))

    def test_a_store_that_fails_keeps_the_row_for_a_later_round(self) -> None:
        for failure in (unavailable, lambda: OSError("not a store's error")):
            image_id = f"image-{failure.__name__.strip('<>')}"
            self.begin(image_id)
            self.die()
            self.driver.fails["discard"] = failure
            reaper = self.make_reaper()
            self.assertEqual(1, reaper.reap())
            self.assertEqual("saving", self.image(image_id).status)
            self.assertEqual(0, reaper.reap(), "it is tried again when its lease has ended anew")
            del self.driver.fails["discard"]
            self.die()
            self.assertEqual(1, reaper.reap())
            self.assertEqual("queued", self.image(image_id).status)

    def test_a_transfer_to_a_store_that_is_no_more_configured_frees_its_image(self) -> None:
        self.begin(store="gone")
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertEqual("queued", self.image().status)

    def test_one_bad_row_does_not_keep_the_others_from_being_cleared_away(self) -> None:
        class FailingOnce(FailingDriver):
            def discard(driver, name: str) -> None:
                if name == names[0]:
                    raise OSError("not a store's error")

        names = [self.begin(f"image-{number}").name for number in range(3)]
        self.die()
        self.assertEqual(3, self.make_reaper(stores=multi_store(a=FailingOnce("a"))).reap())
        self.assertEqual(["saving", "queued", "queued"], [self.image(f"image-{number}").status for number in range(3)])

    def test_a_transfer_that_runs_here_is_not_taken_however_late_its_renewal(self) -> None:
        transfer = self.begin(leases=self.leases)
        with self.leases.holding(transfer.id):
            self.die()
            self.assertEqual(0, self.make_reaper().reap())
            self.leases.renew()
        self.assertEqual("saving", self.image().status)

    def test_a_renewed_lease_ends_its_time_after_the_renewal(self) -> None:
        keeper = self.make_leases()
        transfer = self.begin(leases=keeper)
        self.clock.move(timedelta(seconds=15))
        with keeper.holding(transfer.id):
            keeper.renew()
        self.clock.move(LEASE - timedelta(seconds=1))
        self.assertEqual(0, self.make_reaper().reap())
        self.clock.move(timedelta(seconds=2))
        self.assertEqual(1, self.make_reaper().reap())

    def test_the_bytes_on_another_nodes_own_disk_are_left_to_that_node_and_its_image_is_freed_at_last(self) -> None:
        transfer = self.begin(node_url="https://node1")
        location = self.driver.put(transfer.name, b"half")
        self.die()
        for moment, is_freed in ((timedelta(0), False), (ABANDONED - timedelta(seconds=2), False), (LEASE, True)):
            self.clock.move(moment)
            for node_url in ("https://node2", None):
                self.make_reaper(node_url=node_url).reap()
            self.assertEqual("queued" if is_freed else "saving", self.image().status)
        self.assertTrue(self.driver.holds(location))

    def test_the_bytes_on_a_nodes_own_disk_are_removed_by_that_node(self) -> None:
        transfer = self.begin(node_url="https://node1")
        location = self.driver.put(transfer.name, b"half")
        self.die()
        self.assertEqual(1, self.make_reaper(node_url="https://node1").reap())
        self.assertEqual(("queued", False), (self.image().status, self.driver.holds(location)))

    def test_what_this_process_gave_up_is_taken_back(self) -> None:
        transfer = self.begin(leases=self.leases)
        with self.leases.holding(transfer.id):
            pass
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertEqual("queued", self.image().status)

    def test_an_upload_that_outlived_its_lease_records_nothing(self) -> None:
        transfer = self.begin()
        self.die()
        self.make_reaper().reap()
        stored = StoredData(Location("memory://a/x"), 4, 4, "c", "sha512", "v")
        self.assertRaises(TransferLost, self.data.run, RecordData(transfer, stored))
        self.data.run(AbortTransfer(transfer))
        self.assertEqual(("queued", (0, 0)), (self.image().status, self.usage()))

    def test_a_transfer_whose_image_was_deleted_is_cleared_away(self) -> None:
        self.begin()
        location = self.driver.put(IMAGE_ID, b"half")
        self.data.run(MarkDeleted(IMAGE_ID))
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertFalse(self.driver.holds(location))
        self.assertEqual((0, 0), self.usage())


class TestTwoReapers(DatabaseCase):
    def open_database(self) -> SqlDataAccess:
        folder = self.useFixture(fixtures.TempDir()).path
        return make_database(self, f"sqlite:///{folder}/test.db")

    def test_each_row_is_given_to_one_of_them_only(self) -> None:
        transfers = {self.begin(f"image-{number}").id for number in range(6)}
        for number in range(3):
            self.keep_deletion(f"kept-{number}")
        self.die()
        start = threading.Barrier(4)
        taken: list[Sequence[Transfer]] = []
        due: list[Sequence[DataRemoval]] = []

        def take() -> None:
            keeper = self.make_leases()
            start.wait(WAIT)
            taken.append(self.data.run(TakeExpiredTransfers(keeper.process, frozenset(), keeper.lease)))
            due.append(self.data.run(TakeDueRemovals(RETRY_REMOVAL)))

        threads = [threading.Thread(target=take, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        self.assertEqual(4, len(due))
        self.assertEqual(sorted(transfers), sorted(one.id for some in taken for one in some))
        self.assertEqual(3, sum(len(some) for some in due))

    def keep_deletion(self, image_id: str) -> None:
        location = Location(f"memory://a/{image_id}", {"store": "a"})
        self.data.run(creation(make_image(id=image_id, locations=(location,))))
        self.data.run(MarkDeleted(image_id))


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


class TestRounds(DatabaseCase):
    def test_the_thread_begins_at_once_and_goes_on_after_a_failing_round(self) -> None:
        self.begin()
        self.die()
        queued = threading.Event()
        failures = [Unavailable(reason="no database")]

        class Shaky(TimedAccess):
            """The database of the test, which fails once."""

            def run(shaky, call: Any, now: datetime | None = None, cause: Cause | None = None) -> Any:
                if failures:
                    raise failures.pop()
                result = super().run(call, now, cause)
                if isinstance(call, AbortTransfer):
                    queued.set()
                return result

        reaper = Reaper(Shaky(self.data, self.clock), self.stores, self.leases, self.metrics, 0.001)
        self.addCleanup(reaper.close)
        reaper.start()
        self.assertTrue(queued.wait(WAIT))
        self.assertEqual([], failures)
        reaper.close()
        for thread in threading.enumerate():
            if thread.name == "reaper":
                thread.join(WAIT)

    def test_a_database_that_is_down_ends_the_round(self) -> None:
        class Down(TimedAccess):
            """A database that does not answer."""

            def run(down, call: Any, now: datetime | None = None, cause: Cause | None = None) -> Any:
                raise Unavailable(reason="no database")

        reaper = Reaper(Down(self.data, self.clock), self.stores, self.leases, self.metrics, 20)
        self.assertRaises(GlanceMiniError, reaper.reap)
