"""The contract for transfers and leases (DESIGN, transfers and leases)."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.query import EVERYTHING
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, NO_LIMITS, Limits
from tests.contract.db.samples import LATER, MINE, NOW, ContractBase, data_of, location, sample, transfer


class TransferContract(ContractBase):
    def test_transfer_moves_its_image_to_saving(self):
        image = self.create()
        saving = self.data.begin_transfer(transfer(image), LATER, NO_LIMITS)
        self.assertEqual(replace(image, status="saving", updated_at=LATER), saving)
        self.assertEqual(saving, self.data.get_image(image.id, MINE))

    def test_image_has_one_transfer_at_a_time(self):
        image = self.create()
        self.begin(image)
        self.assertRaises(errors.StatusConflict, self.data.begin_transfer, transfer(image), NOW, NO_LIMITS)
        self.assertEqual(1, self.data.get_usage("mine")[IMAGE_COUNT_UPLOADING])

    def test_transfer_to_an_image_that_is_not_there_is_not_found(self):
        self.assertRaises(errors.NotFound, self.data.begin_transfer, transfer(sample()), NOW, NO_LIMITS)

    def test_transfer_beyond_a_limit_leaves_nothing(self):
        image = self.create()
        for limits in (Limits({IMAGE_SIZE_TOTAL: 999}), Limits({IMAGE_COUNT_UPLOADING: 0})):
            self.assertRaises(errors.LimitExceeded, self.data.begin_transfer, transfer(image), NOW, limits)
            self.assertEqual(image, self.data.get_image(image.id, MINE))
            self.assertEqual((0, 0), self.held())

    def test_recorded_data_makes_the_image_active(self):
        image = self.create()
        begun = self.begin(image)
        active = self.data.record_data(begun, data_of(700), LATER)
        self.assertEqual(
            ("active", 700, 1400, LATER), (active.status, active.size, active.virtual_size, active.updated_at)
        )
        self.assertEqual(("c" * 32, "sha512", "d" * 128), (active.checksum, active.os_hash_algo, active.os_hash_value))
        self.assertEqual([location("data").url], [one.url for one in active.locations])
        self.assertEqual(active, self.data.get_image(image.id, MINE))
        self.assertEqual((700, 0), self.held())

    def test_data_is_recorded_once(self):
        begun = self.begin(self.create())
        self.data.record_data(begun, data_of(), NOW)
        self.assertRaises(errors.Gone, self.data.record_data, begun, data_of(), NOW)
        self.assertRaises(errors.Gone, self.data.reserve_space, begun.id, 1, NO_LIMITS)
        self.assertRaises(errors.Gone, self.data.is_youngest_transfer, begun.id)

    def test_aborted_transfer_gives_everything_back(self):
        image = self.create()
        begun = self.begin(image)
        self.data.reserve_space(begun.id, 500, NO_LIMITS)
        self.assertEqual((1500, 1), self.held())
        self.data.abort_transfer(begun, LATER)
        self.data.abort_transfer(begun, LATER)
        self.assertEqual(replace(image, updated_at=LATER), self.data.get_image(image.id, MINE))
        self.assertEqual((0, 0), self.held())

    def test_reservation_grows_up_to_the_limit(self):
        begun = self.begin(self.create())
        limits = Limits({IMAGE_SIZE_TOTAL: 1500})
        self.data.reserve_space(begun.id, 500, limits)
        error = self.assertRaises(errors.LimitExceeded, self.data.reserve_space, begun.id, 1, limits)
        self.assertEqual({"resource": IMAGE_SIZE_TOTAL, "limit": 1500, "wanted": 1501}, error.values)
        self.data.record_data(begun, data_of(10), NOW)
        self.assertEqual((10, 0), self.held())

    def test_deletion_of_the_image_takes_the_claim_of_its_transfer(self):
        image = self.create()
        begun = self.begin(image)
        self.data.delete_image(image.id, NOW)
        self.assertRaises(errors.Gone, self.data.record_data, begun, data_of(), NOW)
        self.data.abort_transfer(begun, NOW)
        self.assertRaises(errors.NotFound, self.data.get_image, image.id, EVERYTHING)
        self.assertEqual((0, 0), self.held())

    def test_purge_waits_for_the_transfer_of_a_deleted_image(self):
        image = self.create()
        begun = self.begin(image)
        self.data.delete_image(image.id, NOW)
        self.assertEqual(0, self.data.purge(LATER, timedelta(0), 10))
        self.data.abort_transfer(begun, NOW)
        self.assertEqual(1, self.data.purge(LATER, timedelta(0), 10))

    def test_expired_transfer_is_given_to_one_caller(self):
        begun, lease = self.begin(self.create()), LATER + timedelta(seconds=60)
        self.begin(self.create(), lease_until=LATER + timedelta(seconds=1))
        taken = self.data.take_expired_transfers("second", (), LATER, lease)
        self.assertEqual([replace(begun, process="second", lease_until=lease)], list(taken))
        self.assertEqual([], list(self.data.take_expired_transfers("third", (), LATER, lease)))

    def test_expired_transfer_to_a_nodes_own_disk_is_left_to_that_node(self):
        begun = self.begin(self.create(), host="http://node1")
        for host in ("http://node2", None):
            self.assertEqual([], self.take(LATER - timedelta(minutes=45, seconds=1), host))
        taken = self.take(LATER - timedelta(minutes=45, seconds=1), "http://node1")
        self.assertEqual([(begun.id, "http://node1")], [(one.id, one.host) for one in taken])

    def test_expired_transfer_of_a_node_that_stays_away_is_given_to_any_other(self):
        long_ago = NOW - timedelta(minutes=14)
        first, second = (self.begin(self.create(), host="http://node1", lease_until=long_ago) for _ in range(2))
        self.assertEqual([], self.take(NOW, "http://node2"))
        taken = self.take(NOW + timedelta(minutes=2), "http://node2")
        self.assertEqual({first.id, second.id}, {one.id for one in taken})

    def take(self, now, host):
        """Return what another process on that node is given of the transfers whose lease has ended."""
        return list(self.data.take_expired_transfers("second", (), now, now + timedelta(seconds=60), host))

    def test_process_that_lost_its_transfer_can_do_nothing_with_it(self):
        image = self.create()
        begun = self.begin(image)
        (taken,) = self.data.take_expired_transfers("second", (), LATER, LATER)
        self.assertRaises(errors.Gone, self.data.record_data, begun, data_of(), NOW)
        self.data.abort_transfer(begun, NOW)
        self.assertEqual("saving", self.data.get_image(image.id, MINE).status)
        self.data.abort_transfer(taken, NOW)
        self.assertEqual("queued", self.data.get_image(image.id, MINE).status)

    def test_process_is_not_given_what_it_still_works_on(self):
        held, given_up = self.begin(self.create()), self.begin(self.create())
        taken = self.data.take_expired_transfers("first", [held.id], LATER, LATER)
        self.assertEqual([given_up.id], [one.id for one in taken])

    def test_renewed_lease_does_not_expire(self):
        renewed, forgotten = self.begin(self.create()), self.begin(self.create())
        foreign = self.begin(self.create(), process="other")
        self.data.renew_leases("first", [renewed.id, foreign.id], LATER + timedelta(seconds=1))
        taken = self.data.take_expired_transfers("second", (), LATER, LATER)
        self.assertEqual({forgotten.id, foreign.id}, {one.id for one in taken})

    def test_youngest_transfer_of_a_project_with_a_reservation(self):
        first = self.begin(self.create())
        second = self.begin(self.create(), started_at=LATER)
        self.begin(self.create(), started_at=LATER + timedelta(1), reserved=0)
        self.begin(self.create(owner="theirs"), started_at=LATER + timedelta(1))
        self.assertFalse(self.data.is_youngest_transfer(first.id))
        self.assertTrue(self.data.is_youngest_transfer(second.id))

    def held(self):
        usage = self.data.get_usage("mine")
        return usage[IMAGE_SIZE_TOTAL], usage[IMAGE_COUNT_UPLOADING]
