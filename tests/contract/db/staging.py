"""The contract for staged data: its transfers, its quota, and how it goes (reference 5.3, 18)."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from glance_mini.domain import errors
from glance_mini.domain.quota import (
    IMAGE_COUNT_UPLOADING,
    IMAGE_SIZE_TOTAL,
    IMAGE_STAGE_TOTAL,
    NO_LIMITS,
    Limits,
)
from tests.contract.db.job_samples import JobContractBase, staged, staging
from tests.contract.db.samples import LATER, MUCH_LATER, NOW, sample, stored, transfer

NODE = "http://node1:9292"


class StagingContract(JobContractBase):
    def test_staging_moves_its_image_to_uploading_and_keeps_the_data(self):
        image = self.create()
        begun = staging(image)
        uploading = self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        self.assertEqual(replace(image, status="uploading"), uploading)
        self.assertIsNone(self.jobs.get_staged(image.id))
        data = staged(image, 700, host="http://node1:9292")
        recorded = self.jobs.record_staged(begun, data, LATER)
        self.assertEqual(replace(image, status="uploading", size=700, updated_at=LATER), recorded)
        self.assertEqual(recorded, self.image(image))
        self.assertEqual(data, self.jobs.get_staged(image.id))

    def test_formats_may_come_after_staging(self):
        image = self.create(disk_format=None, container_format=None)
        self.stage(image)
        self.assertEqual("uploading", self.image(image).status)

    def test_only_a_queued_image_is_staged(self):
        image = self.create()
        self.stage(image)
        for other in (image, self.create(status="active")):
            self.assertRaises(errors.StatusConflict, self.jobs.begin_staging, staging(other), NOW, NO_LIMITS)
        self.assertRaises(errors.StatusConflict, self.data.begin_transfer, transfer(image), NOW, NO_LIMITS)
        self.assertRaises(errors.NotFound, self.jobs.begin_staging, staging(sample()), NOW, NO_LIMITS)

    def test_staged_bytes_count_as_staged_and_not_as_stored(self):
        image = self.create()
        begun = staging(image)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        self.data.reserve_space(begun.id, 500, NO_LIMITS)
        self.assertEqual((1500, 0, 1), self.counts())
        self.jobs.record_staged(begun, staged(image, 700), NOW)
        self.assertEqual((700, 0, 1), self.counts())
        self.jobs.forget_staged(image.id)
        self.jobs.forget_staged(image.id)
        self.assertEqual((0, 0, 0), self.counts())
        self.assertIsNone(self.jobs.get_staged(image.id))

    def test_staging_beyond_a_limit_leaves_nothing(self):
        image = self.create()
        for limits in (Limits({IMAGE_STAGE_TOTAL: 999}), Limits({IMAGE_COUNT_UPLOADING: 0})):
            self.assertRaises(errors.LimitExceeded, self.jobs.begin_staging, staging(image), NOW, limits)
            self.assertEqual((image, (0, 0, 0)), (self.image(image), self.counts()))
        begun = staging(image)
        self.jobs.begin_staging(begun, NOW, Limits({IMAGE_STAGE_TOTAL: 1000, IMAGE_SIZE_TOTAL: 0}))
        self.assertRaises(
            errors.LimitExceeded, self.data.reserve_space, begun.id, 1, Limits({IMAGE_STAGE_TOTAL: 1000})
        )

    def test_stagings_and_uploads_do_not_wait_for_each_other(self):
        first, second = self.create(), self.create()
        begun = staging(first)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        upload = transfer(second, started_at=LATER)
        self.data.begin_transfer(upload, NOW, NO_LIMITS)
        self.assertTrue(self.data.is_youngest_transfer(begun.id))
        self.assertTrue(self.data.is_youngest_transfer(upload.id))

    def test_usage_that_was_never_counted_is_summed_up(self):
        first, second = self.create(owner=None), self.create(owner=None)
        self.jobs.begin_staging(staging(first, project_id="mine"), NOW, NO_LIMITS)
        self.jobs.begin_staging(begun := staging(second, project_id="mine"), NOW, NO_LIMITS)
        self.jobs.record_staged(begun, staged(second, 700), NOW)
        self.assertEqual((1700, 0, 2), self.counts())

    def test_staging_that_was_aborted_puts_the_image_back(self):
        image = self.create()
        begun = staging(image)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        self.data.abort_transfer(begun, LATER)
        self.assertEqual(replace(image, updated_at=LATER), self.image(image))
        self.assertEqual((0, 0, 0), self.counts())

    def test_staging_whose_process_died_is_taken_over_and_aborted(self):
        image = self.create()
        lost = staging(image)
        self.jobs.begin_staging(lost, NOW, NO_LIMITS)
        (taken,) = self.data.take_expired_transfers("second", (), LATER, MUCH_LATER)
        self.assertRaises(errors.Gone, self.jobs.record_staged, lost, staged(image), LATER)
        self.data.abort_transfer(taken, LATER)
        self.assertEqual("queued", self.image(image).status)
        self.assertIsNone(self.jobs.get_staged(image.id))

    def test_data_is_staged_once(self):
        image = self.create()
        begun = staging(image)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        self.jobs.record_staged(begun, staged(image), NOW)
        self.assertRaises(errors.Gone, self.jobs.record_staged, begun, staged(image), NOW)
        self.data.abort_transfer(begun, NOW)
        self.assertEqual("uploading", self.image(image).status)

    def test_data_staged_for_an_image_that_was_deleted_is_gone(self):
        image = self.create()
        begun = staging(image)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        self.data.delete_image(image.id, NOW)
        self.assertRaises(errors.Gone, self.jobs.record_staged, begun, staged(image), NOW)
        self.data.abort_transfer(begun, NOW)
        self.assertEqual((0, 0, 0), self.counts())

    def test_deletion_makes_staged_data_a_pending_deletion_that_names_its_node(self):
        for host in (None, NODE):
            image = self.create()
            data = self.stage(image, host=host)
            self.data.delete_image(image.id, NOW)
            self.assert_pending(image, data)
        self.assertEqual((0, 0, 0), self.counts())

    def test_discarded_data_becomes_a_pending_deletion_of_its_node_and_counts_no_more(self):
        image = self.create()
        data = self.stage(image, host=NODE)
        self.jobs.discard_staged(image.id, NOW)
        self.jobs.discard_staged(image.id, NOW)
        self.assert_pending(image, data)
        self.assertEqual((0, 0, 0), self.counts())

    def test_every_name_that_staging_uses_is_known_until_its_bytes_are_gone(self):
        image, other = self.create(), self.create()
        begun = staging(image, name="first", host=NODE)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        expected = {image.id: {"first"}, other.id: frozenset()}
        self.assertEqual(expected, self.jobs.list_data_names([image.id, other.id]))
        self.jobs.record_staged(begun, staged(image, url="file:///staging/first"), NOW)
        self.assertEqual({image.id: {"first"}}, self.jobs.list_data_names([image.id]))
        self.jobs.discard_staged(image.id, NOW)
        self.assertEqual({image.id: {"first"}}, self.jobs.list_data_names([image.id]))
        (pending,) = self.data.list_deletions(image.id)
        self.data.finish_deletion(pending.id)
        self.assertEqual({image.id: frozenset()}, self.jobs.list_data_names([image.id]))

    def test_name_of_data_in_a_store_is_known_too(self):
        image = self.data.create_image(stored(), NO_LIMITS)
        self.assertEqual({image.id: {"a"}}, self.jobs.list_data_names([image.id]))

    def test_images_stay_known_when_they_are_purged_and_others_never_are(self):
        image = self.create()
        self.data.delete_image(image.id, NOW)
        self.assertEqual({image.id: frozenset()}, self.jobs.list_data_names([image.id]))
        self.assertEqual(1, self.data.purge(MUCH_LATER, timedelta(0), 10))
        self.assertEqual({image.id: frozenset()}, self.jobs.list_data_names([image.id, str(uuid4())]))

    def test_deletion_on_a_nodes_own_disk_is_given_to_that_node_only_and_is_in_nobodys_way(self):
        image = self.create()
        self.stage(image, host=NODE)
        self.jobs.discard_staged(image.id, NOW)
        (pending,) = self.data.list_deletions(image.id)
        for host in (None, "http://node2:9292"):
            self.assertEqual([], list(self.data.take_due_deletions(LATER, MUCH_LATER, host)))
        self.assertEqual([pending], list(self.data.take_due_deletions(LATER, MUCH_LATER, NODE)))

    def assert_pending(self, image, data):
        """Fail unless staged data waits for its deletion, on the node that has it."""
        (pending,) = self.data.list_deletions(image.id)
        self.assertEqual((data.url, {"store": data.store}, data.host), (pending.url, pending.metadata, pending.host))
        self.assertIsNone(self.jobs.get_staged(image.id))

    def counts(self):
        """Return the bytes staged, the bytes stored and the uploads of the project."""
        return tuple(self.used(one) for one in (IMAGE_STAGE_TOTAL, IMAGE_SIZE_TOTAL, IMAGE_COUNT_UPLOADING))
