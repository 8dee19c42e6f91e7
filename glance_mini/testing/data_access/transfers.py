"""The contract for transfers and their leases."""

from dataclasses import replace
from datetime import datetime, timedelta

from glance_mini.domain import errors
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, Limits
from glance_mini.domain.transfer import Transfer, remains_of
from glance_mini.operations.records import (
    AbortTransfer,
    BeginTransfer,
    CountUsage,
    IsYoungestTransfer,
    LeaveRemains,
    LoadImage,
    MarkDeleted,
    PurgeImages,
    RecordData,
    RenewLeases,
    ReserveSpace,
    TakeExpiredTransfers,
)
from glance_mini.testing.data_access.samples import (
    LATER,
    LEASE,
    MINE,
    MUCH_LATER,
    NOW,
    ContractBase,
    data_of,
    location,
    sample,
    transfer,
)


class TransferContract(ContractBase):
    def test_transfer_moves_its_image_to_saving(self) -> None:
        image = self.create()
        saving = self.data.run(BeginTransfer(transfer(image), LEASE), LATER)
        self.assertEqual(replace(image, status="saving", updated_at=LATER), saving)
        self.assertEqual(saving, self.data.run(LoadImage(image.id, MINE)))

    def test_image_has_one_transfer_at_a_time(self) -> None:
        image = self.create()
        self.begin(image)
        self.assertRaises(errors.StatusConflict, self.data.run, BeginTransfer(transfer(image), LEASE), NOW)
        self.assertEqual(1, self.data.run(CountUsage("mine"))[IMAGE_COUNT_UPLOADING])

    def test_transfer_to_an_image_that_is_not_there_is_not_found(self) -> None:
        self.assertRaises(errors.NotFound, self.data.run, BeginTransfer(transfer(sample()), LEASE), NOW)

    def test_transfer_beyond_a_limit_leaves_nothing(self) -> None:
        image = self.create()
        for limits in (Limits({IMAGE_SIZE_TOTAL: 999}), Limits({IMAGE_COUNT_UPLOADING: 0})):
            self.assertRaises(errors.LimitExceeded, self.data.run, BeginTransfer(transfer(image), LEASE, limits), NOW)
            self.assertEqual(image, self.data.run(LoadImage(image.id, MINE)))
            self.assertEqual((0, 0), self.held())

    def test_recorded_data_makes_the_image_active(self) -> None:
        image = self.create()
        begun = self.begin(image)
        active = self.data.run(RecordData(begun, data_of(700)), LATER)
        self.assertEqual(
            ("active", 700, 1400, LATER), (active.status, active.size, active.virtual_size, active.updated_at)
        )
        self.assertEqual(("c" * 32, "sha512", "d" * 128), (active.checksum, active.os_hash_algo, active.os_hash_value))
        self.assertEqual([location("data").url], [one.url for one in active.locations])
        self.assertEqual(active, self.data.run(LoadImage(image.id, MINE)))
        self.assertEqual((700, 0), self.held())

    def test_data_is_recorded_once(self) -> None:
        begun = self.begin(self.create())
        self.data.run(RecordData(begun, data_of()), NOW)
        self.assertRaises(errors.Gone, self.data.run, RecordData(begun, data_of()), NOW)
        self.assertRaises(errors.Gone, self.data.run, ReserveSpace(begun.id, 1))
        self.assertRaises(errors.Gone, self.data.run, IsYoungestTransfer(begun.id))

    def test_aborted_transfer_gives_everything_back(self) -> None:
        image = self.create()
        begun = self.begin(image)
        self.data.run(ReserveSpace(begun.id, 500))
        self.assertEqual((1500, 1), self.held())
        self.data.run(AbortTransfer(begun), LATER)
        self.data.run(AbortTransfer(begun), LATER)
        self.assertEqual(replace(image, updated_at=LATER), self.data.run(LoadImage(image.id, MINE)))
        self.assertEqual((0, 0), self.held())

    def test_transfer_with_remains_is_given_to_a_reaper_and_frees_its_image(self) -> None:
        image = self.create()
        begun = self.begin(image)
        self.data.run(AbortTransfer(begun, has_remains=True), NOW)
        self.assertEqual("queued", self.data.run(LoadImage(image.id, MINE)).status)
        self.assertEqual((0, 1), self.held())
        (taken,) = self.take(NOW + timedelta(seconds=1), None)
        self.assertEqual((begun.id, begun.name, 0), (taken.id, taken.name, taken.reserved))
        self.data.run(AbortTransfer(taken), LATER)
        self.assertEqual((0, 0), self.held())

    def test_transfer_that_keeps_its_lease_is_given_to_a_reaper_after_it_and_counts_no_more(self) -> None:
        image = self.create()
        begun = self.begin(image, lease_until=LATER)
        for _ in range(2):
            self.data.run(AbortTransfer(begun, has_remains=True, keeps_lease=True), NOW)
            self.assertEqual("queued", self.data.run(LoadImage(image.id, MINE)).status)
            self.assertEqual((0, 0), self.held())
        self.assertEqual([], self.take(LATER, None))
        (taken,) = self.take(LATER + timedelta(seconds=1), None)
        self.assertEqual((begun.id, begun.name, 0), (taken.id, taken.name, taken.reserved))
        self.data.run(AbortTransfer(taken), MUCH_LATER)
        self.assertEqual((0, 0), self.held())

    def test_remains_of_an_earlier_transfer_do_not_touch_a_later_one(self) -> None:
        image = self.create()
        earlier = self.begin(image)
        self.data.run(AbortTransfer(earlier, has_remains=True), NOW)
        (remains,) = self.take(NOW + timedelta(seconds=1), None)
        later = self.begin(image, LATER)
        self.data.run(AbortTransfer(remains), LATER)
        self.assertEqual("saving", self.data.run(LoadImage(image.id, MINE)).status)
        self.data.run(AbortTransfer(later), LATER)
        self.assertEqual("queued", self.data.run(LoadImage(image.id, MINE)).status)

    def test_remains_are_given_to_a_reaper_once_also_without_an_image(self) -> None:
        remains = remains_of(sample().id, "mine", "s3", "name")
        for _ in range(2):
            self.data.run(LeaveRemains(remains), NOW)
        self.assertEqual((0, 0), self.held())
        (taken,) = self.take(NOW + timedelta(seconds=1), None)
        self.assertEqual((remains.image_id, "mine", "s3", "name"), (taken.image_id, *_place(taken)))
        self.data.run(LeaveRemains(remains), NOW)
        self.assertEqual([], self.take(NOW + timedelta(seconds=1), None))
        self.data.run(AbortTransfer(taken), LATER)
        self.assertEqual((0, 0), self.held())
        self.assertEqual([], self.take(NOW + timedelta(days=1), None))

    def test_remains_in_two_stores_are_two(self) -> None:
        image = self.create()
        for store in ("s3", "swift"):
            self.data.run(LeaveRemains(remains_of(image.id, "mine", store, "name")), NOW)
        taken = self.take(NOW + timedelta(seconds=1), None)
        self.assertEqual({("mine", "s3", "name"), ("mine", "swift", "name")}, {_place(each) for each in taken})

    def test_remains_do_not_touch_a_transfer_that_began_before_or_after_them(self) -> None:
        image = self.create()
        begun = self.begin(image)
        self.data.run(LeaveRemains(remains_of(image.id, "mine", "s3", "name")), LATER)
        (taken,) = (each for each in self.take(LATER + timedelta(days=1), None) if each.store == "s3")
        self.data.run(AbortTransfer(taken), LATER)
        self.assertEqual("saving", self.data.run(LoadImage(image.id, MINE)).status)
        self.data.run(RecordData(replace(begun, process=taken.process), data_of()), LATER)
        self.data.run(LeaveRemains(remains_of(image.id, "mine", "s3", "name")), LATER)
        self.data.run(AbortTransfer(replace(taken, process="")), LATER)
        self.assertEqual("active", self.data.run(LoadImage(image.id, MINE)).status)

    def test_reservation_grows_up_to_the_limit(self) -> None:
        begun = self.begin(self.create())
        limits = Limits({IMAGE_SIZE_TOTAL: 1500})
        self.data.run(ReserveSpace(begun.id, 500, limits))
        error = self.assertRaises(errors.LimitExceeded, self.data.run, ReserveSpace(begun.id, 1, limits))
        self.assertEqual({"resource": IMAGE_SIZE_TOTAL, "limit": 1500, "wanted": 1501}, error.values)
        self.data.run(RecordData(begun, data_of(10)), NOW)
        self.assertEqual((10, 0), self.held())

    def test_deletion_of_the_image_takes_the_claim_of_its_transfer(self) -> None:
        image = self.create()
        begun = self.begin(image)
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertRaises(errors.Gone, self.data.run, RecordData(begun, data_of()), NOW)
        self.data.run(AbortTransfer(begun), NOW)
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))
        self.assertEqual((0, 0), self.held())

    def test_purge_waits_for_the_transfer_of_a_deleted_image(self) -> None:
        image = self.create()
        begun = self.begin(image)
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertEqual(0, self.data.run(PurgeImages(timedelta(0), 10), LATER))
        self.data.run(AbortTransfer(begun), NOW)
        self.assertEqual(1, self.data.run(PurgeImages(timedelta(0), 10), LATER))

    def test_expired_transfer_is_given_to_one_caller(self) -> None:
        begun = self.begin(self.create())
        self.begin(self.create(), lease_until=LATER + timedelta(seconds=1))
        taken = self.data.run(TakeExpiredTransfers("second", frozenset(), LEASE), LATER)
        self.assertEqual([replace(begun, process="second", lease_until=LATER + LEASE)], list(taken))
        self.assertEqual([], list(self.data.run(TakeExpiredTransfers("third", frozenset(), LEASE), LATER)))

    def test_expired_transfer_to_a_nodes_own_disk_is_left_to_that_node(self) -> None:
        begun = self.begin(self.create(), node_url="http://node1")
        for node_url in ("http://node2", None):
            self.assertEqual([], self.take(LATER - timedelta(minutes=45, seconds=1), node_url))
        taken = self.take(LATER - timedelta(minutes=45, seconds=1), "http://node1")
        self.assertEqual([(begun.id, "http://node1")], [(one.id, one.node_url) for one in taken])

    def test_expired_transfer_of_a_node_that_stays_away_is_given_to_any_other(self) -> None:
        long_ago = NOW - timedelta(minutes=14)
        first, second = (self.begin(self.create(), node_url="http://node1", lease_until=long_ago) for _ in range(2))
        self.assertEqual([], self.take(NOW, "http://node2"))
        taken = self.take(NOW + timedelta(minutes=2), "http://node2")
        self.assertEqual({first.id, second.id}, {one.id for one in taken})

    def take(self, now: datetime, node_url: str | None) -> list[Transfer]:
        """Return what another process on that node is given of the transfers whose lease has ended."""
        return list(self.data.run(TakeExpiredTransfers("second", frozenset(), LEASE, node_url), now))

    def test_process_that_lost_its_transfer_can_do_nothing_with_it(self) -> None:
        image = self.create()
        begun = self.begin(image)
        (taken,) = self.data.run(TakeExpiredTransfers("second", frozenset(), timedelta(0)), LATER)
        self.assertRaises(errors.Gone, self.data.run, RecordData(begun, data_of()), NOW)
        self.data.run(AbortTransfer(begun), NOW)
        self.assertEqual("saving", self.data.run(LoadImage(image.id, MINE)).status)
        self.data.run(AbortTransfer(taken), NOW)
        self.assertEqual("queued", self.data.run(LoadImage(image.id, MINE)).status)

    def test_process_is_not_given_what_it_still_works_on(self) -> None:
        held, given_up = self.begin(self.create()), self.begin(self.create())
        taken = self.data.run(TakeExpiredTransfers("first", frozenset({held.id}), timedelta(0)), LATER)
        self.assertEqual([given_up.id], [one.id for one in taken])

    def test_renewed_lease_does_not_expire(self) -> None:
        renewed, forgotten = self.begin(self.create()), self.begin(self.create())
        foreign = self.begin(self.create(), process="other")
        lease = LATER + timedelta(seconds=1) - NOW
        self.data.run(RenewLeases("first", frozenset({renewed.id, foreign.id}), lease), NOW)
        taken = self.data.run(TakeExpiredTransfers("second", frozenset(), timedelta(0)), LATER)
        self.assertEqual({forgotten.id, foreign.id}, {one.id for one in taken})

    def test_youngest_transfer_of_a_project_with_a_reservation(self) -> None:
        first = self.begin(self.create())
        second = self.begin(self.create(), started_at=LATER)
        self.begin(self.create(), started_at=LATER + timedelta(1), reserved=0)
        self.begin(self.create(owner="theirs"), started_at=LATER + timedelta(1))
        self.assertFalse(self.data.run(IsYoungestTransfer(first.id)))
        self.assertTrue(self.data.run(IsYoungestTransfer(second.id)))

    def held(self) -> tuple[int, int]:
        """Return the bytes that the project uses or has reserved, and its uploads."""
        usage = self.data.run(CountUsage("mine"))
        return usage[IMAGE_SIZE_TOTAL], usage[IMAGE_COUNT_UPLOADING]


def _place(found: Transfer) -> tuple[str | None, str, str]:
    return (found.project_id, found.store, found.name)
