"""The reaper after a process died: expired transfers, several reapers, its rounds."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import fixtures

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.transfers import ABANDONED
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import GlanceMiniError, TransferLost, Unavailable
from glance_mini.domain.image import Location
from glance_mini.domain.transfer import DataRemoval, StoredData, Transfer
from glance_mini.maintenance.reaper import RETRY_REMOVAL, Reaper
from glance_mini.operations.records import (
    AbortTransfer,
    MarkDeleted,
    RecordData,
    TakeDueRemovals,
    TakeExpiredTransfers,
)
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini.testing.timed import TimedAccess
from glance_mini_store.caller import Caller
from tests.unit.layers.location.stores import CallerDriver, FailingDriver, multi_store, unavailable
from tests.unit.layers.support import count, make_database
from tests.unit.maintenance.case import LEASE, WAIT, DatabaseCase


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

    def test_the_store_acts_for_the_project_of_the_transfer(self) -> None:
        self.begin()
        self.die()
        driver = CallerDriver("a")
        self.make_reaper(stores=multi_store(a=driver)).reap()
        self.assertEqual([("discard", Caller("p1"))], driver.calls)

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
