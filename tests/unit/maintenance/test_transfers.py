"""Leases while a process lives, and the reaper after it died (DESIGN, transfers and leases)."""

import threading
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import fixtures
import testtools

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.job_access import SqlJobAccess
from glance_mini.db.sqlalchemy.transfers import ABANDONED
from glance_mini.domain.changes import LocationChange
from glance_mini.domain.errors import GlanceMiniError, TransferLost, Unavailable
from glance_mini.domain.image import Image, Location
from glance_mini.domain.query import EVERYTHING
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, NO_LIMITS
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import Deletion, StoredData, Transfer
from glance_mini.maintenance.deletion import remove_data
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.maintenance.reaper import RETRY_DELETION, Reaper
from glance_mini.metrics import Metrics
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores
from tests.unit.layers.location.stores import FailingDriver, ReadOnlyDriver, several_stores, unavailable
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
        self.clock = Clock()
        self.renewed: list[tuple[str, frozenset[str], datetime]] = []
        self.is_down = False
        self.leases = LeaseKeeper(self.make_data(), 60, self.clock)

    def make_data(self) -> Any:
        case = self

        class Renewing(SqlDataAccess):
            def __init__(self) -> None:
                """Without a database: only renewals are seen."""

            def renew_leases(self, process: str, transfer_ids: Collection[str], lease_until: datetime) -> None:
                if case.is_down:
                    raise Unavailable(reason="no database")
                case.renewed.append((process, frozenset(transfer_ids), lease_until))

        return Renewing()

    def test_only_what_is_held_is_renewed(self) -> None:
        self.leases.renew()
        self.assertEqual([], self.renewed)
        with self.leases.holding("a"), self.leases.holding("b"):
            self.leases.renew()
        with self.leases.holding("b"):
            self.clock.move(timedelta(seconds=15))
            self.leases.renew()
        self.leases.renew()
        process = self.leases.process
        self.assertEqual(
            [
                (process, frozenset({"a", "b"}), TIME + LEASE),
                (process, frozenset({"b"}), TIME + timedelta(seconds=75)),
            ],
            self.renewed,
        )

    def test_a_lease_is_not_held_after_its_block_however_that_ends(self) -> None:
        def fail() -> None:
            with self.leases.holding("a"):
                raise KeyError

        self.assertRaises(KeyError, fail)
        self.assertEqual(frozenset(), self.leases.held())

    def test_a_failing_renewal_is_logged_and_the_next_one_works(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        with self.leases.holding("a"):
            self.is_down = True
            self.leases.renew()
            self.assertIn("leases of 1 transfers were not renewed", log.output)
            self.is_down = False
            self.leases.renew()
        self.assertEqual(1, len(self.renewed))

    def test_a_lease_taken_now_ends_after_its_time(self) -> None:
        self.assertEqual(TIME + LEASE, self.leases.lease_until())

    def test_every_keeper_is_another_process(self) -> None:
        self.assertNotEqual(self.leases.process, LeaseKeeper(self.make_data(), 60).process)

    def test_the_thread_renews_until_it_is_closed(self) -> None:
        renewed = threading.Event()

        class Telling(SqlDataAccess):
            def __init__(self) -> None:
                """Without a database: only that a renewal came is told."""

            def renew_leases(self, process: str, transfer_ids: Collection[str], lease_until: datetime) -> None:
                renewed.set()

        leases = LeaseKeeper(Telling(), 0)
        self.addCleanup(leases.close)
        with leases.holding("a"):
            leases.start()
            self.assertTrue(renewed.wait(WAIT))


class DatabaseCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.data: SqlDataAccess = self.open_database()
        self.driver = FailingDriver("a")
        self.stores = several_stores(a=self.driver)
        self.metrics = Metrics()
        self.leases = self.make_leases()

    def open_database(self) -> SqlDataAccess:
        return make_database(self)

    def make_leases(self) -> LeaseKeeper:
        return LeaseKeeper(self.data, 60, self.clock)

    def make_reaper(
        self, leases: LeaseKeeper | None = None, stores: Stores | None = None, host: str | None = None
    ) -> Reaper:
        return Reaper(self.data, stores or self.stores, leases or self.leases, self.metrics, 20, self.clock, host)

    def begin(
        self, image_id: str = IMAGE_ID, leases: LeaseKeeper | None = None, store: str = "a", host: str | None = None
    ) -> Transfer:
        """Return a transfer of a new image that another process, or that of ``leases``, has begun."""
        image = make_image(id=image_id, status="queued", size=None, locations=())
        self.data.create_image(image, NO_LIMITS)
        holder = leases or self.make_leases()
        transfer = Transfer(
            id=f"transfer-{image_id[:8]}",
            image_id=image_id,
            project_id="p1",
            process=holder.process,
            store=store,
            name=image_id,
            reserved=10,
            started_at=self.clock(),
            lease_until=holder.lease_until(),
            host=host,
        )
        self.data.begin_transfer(transfer, self.clock(), NO_LIMITS)
        return transfer

    def image(self, image_id: str = IMAGE_ID) -> Image:
        return self.data.get_image(image_id, EVERYTHING)

    def usage(self) -> tuple[int, int]:
        found = self.data.get_usage("p1")
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
        self.make_reaper(stores=several_stores(a=Watching("a"))).reap()
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
        self.assertEqual(3, self.make_reaper(stores=several_stores(a=FailingOnce("a"))).reap())
        self.assertEqual(
            ["saving", "queued", "queued"], [self.image(f"image-{number}").status for number in range(3)]
        )

    def test_a_transfer_that_runs_here_is_not_taken_however_late_its_renewal(self) -> None:
        transfer = self.begin(leases=self.leases)
        with self.leases.holding(transfer.id):
            self.die()
            self.assertEqual(0, self.make_reaper().reap())
            self.leases.renew()
        self.assertEqual("saving", self.image().status)

    def test_the_bytes_on_another_nodes_own_disk_are_left_to_that_node_and_its_image_is_freed_at_last(self) -> None:
        transfer = self.begin(host="https://node1")
        location = self.driver.put(transfer.name, b"half")
        self.die()
        for moment, is_freed in ((timedelta(0), False), (ABANDONED - timedelta(seconds=2), False), (LEASE, True)):
            self.clock.move(moment)
            for host in ("https://node2", None):
                self.make_reaper(host=host).reap()
            self.assertEqual("queued" if is_freed else "saving", self.image().status)
        self.assertTrue(self.driver.holds(location))

    def test_the_bytes_on_a_nodes_own_disk_are_removed_by_that_node(self) -> None:
        transfer = self.begin(host="https://node1")
        location = self.driver.put(transfer.name, b"half")
        self.die()
        self.assertEqual(1, self.make_reaper(host="https://node1").reap())
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
        self.assertRaises(TransferLost, self.data.record_data, transfer, stored, self.clock())
        self.data.abort_transfer(transfer, self.clock())
        self.assertEqual(("queued", (0, 0)), (self.image().status, self.usage()))

    def test_a_transfer_whose_image_was_deleted_is_cleared_away(self) -> None:
        self.begin()
        location = self.driver.put(IMAGE_ID, b"half")
        self.data.delete_image(IMAGE_ID, self.clock())
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
        due: list[Sequence[Deletion]] = []

        def take() -> None:
            keeper = self.make_leases()
            start.wait(WAIT)
            now = self.clock()
            taken.append(self.data.take_expired_transfers(keeper.process, (), now, keeper.lease_until()))
            due.append(self.data.take_due_deletions(now, now + RETRY_DELETION))

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
        self.data.create_image(make_image(id=image_id, locations=(location,)), NO_LIMITS)
        self.data.delete_image(image_id, self.clock())


class TestDeletions(DatabaseCase):
    def delete(self, image_id: str = IMAGE_ID, **metadata: str) -> str:
        """Return where the data of an image was, whose record is deleted."""
        url = self.driver.put(image_id, b"data")
        location = Location(url, {"store": "a", **metadata})
        self.data.create_image(make_image(id=image_id, locations=(location,)), NO_LIMITS)
        self.data.delete_image(image_id, self.clock())
        return url

    def test_data_whose_deletion_was_not_finished_is_deleted(self) -> None:
        url = self.delete()
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertFalse(self.driver.holds(url))
        self.assertEqual([], list(self.data.list_deletions(IMAGE_ID)))

    def test_data_on_another_nodes_own_disk_is_left_to_that_node(self) -> None:
        transfer = self.begin(host="https://node2")
        url = self.driver.put(transfer.name, b"data")
        jobs = SqlJobAccess(self.data.database)
        jobs.record_staged(transfer, StagedData(IMAGE_ID, "a", url, 4, "https://node2", self.clock()), self.clock())
        jobs.discard_staged(IMAGE_ID, self.clock())
        for host, is_left in (("https://node1", True), (None, True), ("https://node2", False)):
            self.die()
            self.assertEqual(int(not is_left), self.make_reaper(host=host).reap())
            self.assertEqual(is_left, self.driver.holds(url))
            self.assertEqual(int(is_left), len(self.data.list_deletions(IMAGE_ID)))

    def test_host_in_the_metadata_of_a_users_location_binds_nobody(self) -> None:
        url = self.delete(host="https://node2")
        self.die()
        self.assertEqual(1, self.make_reaper(host="https://node1").reap())
        self.assertFalse(self.driver.holds(url))

    def test_data_that_its_image_was_given_back_while_others_were_deleted_stays(self) -> None:
        first, second = self.delete("image-1"), self.delete("image-2")
        images = {url: make_image(id=url[-7:], locations=(Location(url, {"store": "a"}),)) for url in (first, second)}

        class GivingBack(FailingDriver):
            def delete(driver, location: str) -> None:
                self.driver.delete(location)
                for url in {first, second} - {location}:
                    self.data.undo_deletion(images[url], self.clock())

        self.die()
        self.assertEqual(2, self.make_reaper(stores=several_stores(a=GivingBack("a"))).reap())
        self.assertEqual([False, True], [self.driver.holds(url) for url in (first, second)])

    def test_deletion_that_another_one_has_taken_while_others_were_deleted_is_left_to_it(self) -> None:
        urls = [self.delete("image-1"), self.delete("image-2")]
        self.die()
        deleted: list[str] = []

        class Slow(FailingDriver):
            def delete(driver, location: str) -> None:
                deleted.append(location)
                self.clock.move(RETRY_DELETION)
                self.data.take_due_deletions(self.clock(), self.clock() + RETRY_DELETION)

        self.make_reaper(stores=several_stores(a=Slow("a"))).reap()
        self.assertEqual(urls[:1], deleted)
        self.assertEqual(1, len(self.data.list_deletions("image-2")))

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
        reaper = self.make_reaper(stores=several_stores(a=Picky("a")))
        self.assertEqual((2, 0), (reaper.reap(), reaper.reap()))
        self.assertEqual((True, False), (self.driver.holds(bad), self.driver.holds(good)))
        del self.driver.fails["delete"]
        self.clock.move(RETRY_DELETION)
        self.assertEqual((1, 0), (reaper.reap(), reaper.reap()))
        self.assertFalse(self.driver.holds(bad))

    def test_a_removed_location_is_deleted_too(self) -> None:
        places = tuple(Location(self.driver.put(name, b"data"), {"store": "a"}) for name in ("one", "two"))
        self.data.create_image(make_image(locations=places), NO_LIMITS)
        self.data.update_image(IMAGE_ID, (LocationChange("remove", 0),), self.clock(), NO_LIMITS)
        self.die()
        self.assertEqual(1, self.make_reaper().reap())
        self.assertEqual([False, True], [self.driver.holds(place.url) for place in places])

    def test_what_is_gone_or_was_never_ours_counts_as_removed(self) -> None:
        stores = several_stores(a=self.driver, web=ReadOnlyDriver("web"))
        for url, store in (("memory://a/gone", "a"), ("memory://web/there", "web")):
            remove_data(stores, Deletion(1, IMAGE_ID, url, {"store": store}))

    def test_what_may_work_later_is_an_error(self) -> None:
        self.driver.fails["delete"] = unavailable
        table = {"memory://a/x": "a", "memory://z/x": "z", "rbd://x": None}
        for url, store in table.items():
            deletion = Deletion(1, IMAGE_ID, url, {"store": store} if store else {})
            self.assertRaises(store_errors.StoreError, remove_data, self.stores, deletion)


class TestRounds(DatabaseCase):
    def test_the_thread_begins_at_once_and_goes_on_after_a_failing_round(self) -> None:
        self.begin()
        self.die()
        queued = threading.Event()
        failures = [Unavailable(reason="no database")]

        class Shaky(SqlDataAccess):
            def __init__(shaky) -> None:
                """Answers from the database of the test, which fails once."""
                shaky.__dict__.update(vars(self.data))

            def take_expired_transfers(shaky, *arguments: Any) -> Sequence[Transfer]:
                if failures:
                    raise failures.pop()
                return self.data.take_expired_transfers(*arguments)

            def abort_transfer(shaky, transfer: Transfer, now: datetime) -> None:
                self.data.abort_transfer(transfer, now)
                queued.set()

        reaper = Reaper(Shaky(), self.stores, self.leases, self.metrics, 0.001, self.clock)
        self.addCleanup(reaper.close)
        reaper.start()
        self.assertTrue(queued.wait(WAIT))
        self.assertEqual([], failures)
        reaper.close()
        for thread in threading.enumerate():
            if thread.name == "reaper":
                thread.join(WAIT)

    def test_a_database_that_is_down_ends_the_round(self) -> None:
        class Down(SqlDataAccess):
            def __init__(down) -> None:
                """A database that does not answer."""

            def take_expired_transfers(down, *arguments: Any) -> Sequence[Transfer]:
                raise Unavailable(reason="no database")

        reaper = Reaper(Down(), self.stores, self.leases, self.metrics, 20, self.clock)
        self.assertRaises(GlanceMiniError, reaper.reap)
