"""The contract for staged data: its transfers, its quota, and how it goes."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.quota import (
    IMAGE_COUNT_UPLOADING,
    IMAGE_SIZE_TOTAL,
    IMAGE_STAGE_TOTAL,
    Limits,
)
from glance_mini.domain.staging import StagedData
from glance_mini.operations.records import (
    AbortTransfer,
    BeginTransfer,
    DiscardStaged,
    FinishRemoval,
    ForgetStaged,
    GetStaged,
    IsYoungestTransfer,
    ListDataNames,
    ListRemovals,
    MarkDeleted,
    PurgeImages,
    RecordStaged,
    ReserveSpace,
    TakeDueRemovals,
    TakeExpiredTransfers,
)
from glance_mini.testing.data_access.job_samples import JobContractBase, staged, staging
from glance_mini.testing.data_access.samples import LATER, LEASE, MUCH_LATER, NOW, sample, stored, transfer

NODE = "http://node1:9292"


class StagingContract(JobContractBase):
    def test_staging_moves_its_image_to_uploading_and_keeps_the_data(self) -> None:
        image = self.create()
        begun = staging(image)
        uploading = self.data.run(BeginTransfer(begun, LEASE, to_staging=True), NOW)
        self.assertEqual(replace(image, status="uploading"), uploading)
        self.assertIsNone(self.data.run(GetStaged(image.id)))
        data = staged(image, 700, node_url=NODE)
        recorded = self.data.run(RecordStaged(begun, data), LATER)
        self.assertEqual(replace(image, status="uploading", size=700, updated_at=LATER), recorded)
        self.assertEqual(recorded, self.image(image))
        self.assertEqual(replace(data, created_at=LATER), self.data.run(GetStaged(image.id)))

    def test_formats_may_come_after_staging(self) -> None:
        image = self.create(disk_format=None, container_format=None)
        self.stage(image)
        self.assertEqual("uploading", self.image(image).status)

    def test_only_a_queued_image_is_staged(self) -> None:
        image = self.create()
        self.stage(image)
        for other in (image, self.create(status="active")):
            self.assertRaises(errors.StatusConflict, self.begin_staging, other)
        self.assertRaises(errors.StatusConflict, self.data.run, BeginTransfer(transfer(image), LEASE), NOW)
        self.assertRaises(errors.NotFound, self.begin_staging, sample())

    def test_staged_bytes_count_as_staged_and_not_as_stored(self) -> None:
        image = self.create()
        begun = self.begin_staging(image)
        self.data.run(ReserveSpace(begun.id, 500))
        self.assertEqual((1500, 0, 1), self.counts())
        self.data.run(RecordStaged(begun, staged(image, 700)), NOW)
        self.assertEqual((700, 0, 1), self.counts())
        self.data.run(ForgetStaged(image.id))
        self.data.run(ForgetStaged(image.id))
        self.assertEqual((0, 0, 0), self.counts())
        self.assertIsNone(self.data.run(GetStaged(image.id)))

    def test_staging_beyond_a_limit_leaves_nothing(self) -> None:
        image = self.create()
        for limits in (Limits({IMAGE_STAGE_TOTAL: 999}), Limits({IMAGE_COUNT_UPLOADING: 0})):
            self.assertRaises(errors.LimitExceeded, self.begin_staging, image, limits)
            self.assertEqual((image, (0, 0, 0)), (self.image(image), self.counts()))
        begun = self.begin_staging(image, Limits({IMAGE_STAGE_TOTAL: 1000, IMAGE_SIZE_TOTAL: 0}))
        more = ReserveSpace(begun.id, 1, Limits({IMAGE_STAGE_TOTAL: 1000}))
        self.assertRaises(errors.LimitExceeded, self.data.run, more)

    def test_stagings_and_uploads_do_not_wait_for_each_other(self) -> None:
        first, second = self.create(), self.create()
        begun = self.begin_staging(first)
        upload = self.begin(second, started_at=LATER)
        self.assertTrue(self.data.run(IsYoungestTransfer(begun.id)))
        self.assertTrue(self.data.run(IsYoungestTransfer(upload.id)))

    def test_usage_that_was_never_counted_is_summed_up(self) -> None:
        first, second = self.create(owner=None), self.create(owner=None)
        self.begin_staging(first, project_id="mine")
        begun = self.begin_staging(second, project_id="mine")
        self.data.run(RecordStaged(begun, staged(second, 700)), NOW)
        self.assertEqual((1700, 0, 2), self.counts())

    def test_staging_that_was_aborted_puts_the_image_back(self) -> None:
        image = self.create()
        begun = self.begin_staging(image)
        self.data.run(AbortTransfer(begun), LATER)
        self.assertEqual(replace(image, updated_at=LATER), self.image(image))
        self.assertEqual((0, 0, 0), self.counts())

    def test_staging_whose_process_died_is_taken_over_and_aborted(self) -> None:
        image = self.create()
        lost = self.begin_staging(image)
        (taken,) = self.data.run(TakeExpiredTransfers("second", frozenset(), timedelta(days=1)), LATER)
        self.assertRaises(errors.Gone, self.data.run, RecordStaged(lost, staged(image)), LATER)
        self.data.run(AbortTransfer(taken), LATER)
        self.assertEqual("queued", self.image(image).status)
        self.assertIsNone(self.data.run(GetStaged(image.id)))

    def test_data_is_staged_once(self) -> None:
        image = self.create()
        begun = self.begin_staging(image)
        self.data.run(RecordStaged(begun, staged(image)), NOW)
        self.assertRaises(errors.Gone, self.data.run, RecordStaged(begun, staged(image)), NOW)
        self.data.run(AbortTransfer(begun), NOW)
        self.assertEqual("uploading", self.image(image).status)

    def test_data_staged_for_an_image_that_was_deleted_is_gone(self) -> None:
        image = self.create()
        begun = self.begin_staging(image)
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertRaises(errors.Gone, self.data.run, RecordStaged(begun, staged(image)), NOW)
        self.data.run(AbortTransfer(begun), NOW)
        self.assertEqual((0, 0, 0), self.counts())

    def test_deletion_makes_staged_data_a_pending_deletion_that_names_its_node(self) -> None:
        for node_url in (None, NODE):
            image = self.create()
            data = self.stage(image, node_url=node_url)
            self.data.run(MarkDeleted(image.id), NOW)
            self.assert_pending(image, data)
        self.assertEqual((0, 0, 0), self.counts())

    def test_discarded_data_becomes_a_pending_deletion_of_its_node_and_counts_no_more(self) -> None:
        image = self.create()
        data = self.stage(image, node_url=NODE)
        self.data.run(DiscardStaged(image.id), NOW)
        self.data.run(DiscardStaged(image.id), NOW)
        self.assert_pending(image, data)
        self.assertEqual((0, 0, 0), self.counts())

    def test_every_name_that_staging_uses_is_known_until_its_bytes_are_gone(self) -> None:
        image, other = self.create(), self.create()
        begun = self.begin_staging(image, name="first", node_url=NODE)
        expected = {image.id: {"first"}, other.id: frozenset()}
        self.assertEqual(expected, self.data.run(ListDataNames(frozenset({image.id, other.id}))))
        self.data.run(RecordStaged(begun, staged(image, url="file:///staging/first")), NOW)
        self.assertEqual({image.id: {"first"}}, self.data.run(ListDataNames(frozenset({image.id}))))
        self.data.run(DiscardStaged(image.id), NOW)
        self.assertEqual({image.id: {"first"}}, self.data.run(ListDataNames(frozenset({image.id}))))
        (pending,) = self.data.run(ListRemovals(image.id))
        self.data.run(FinishRemoval(pending.id))
        self.assertEqual({image.id: frozenset()}, self.data.run(ListDataNames(frozenset({image.id}))))

    def test_name_of_data_in_a_store_is_known_too(self) -> None:
        image = self.insert(stored())
        self.assertEqual({image.id: {"a"}}, self.data.run(ListDataNames(frozenset({image.id}))))

    def test_images_stay_known_when_they_are_purged_and_others_never_are(self) -> None:
        image = self.create()
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertEqual({image.id: frozenset()}, self.data.run(ListDataNames(frozenset({image.id}))))
        self.assertEqual(1, self.data.run(PurgeImages(timedelta(0), 10), MUCH_LATER))
        self.assertEqual({image.id: frozenset()}, self.data.run(ListDataNames(frozenset({image.id, str(uuid4())}))))

    def test_deletion_on_a_nodes_own_disk_is_given_to_that_node_only(self) -> None:
        image = self.create()
        self.stage(image, node_url=NODE)
        self.data.run(DiscardStaged(image.id), NOW)
        (pending,) = self.data.run(ListRemovals(image.id))
        for node_url in (None, "http://node2:9292"):
            self.assertEqual([], list(self.data.run(TakeDueRemovals(timedelta(days=1), node_url), LATER)))
        self.assertEqual([pending], list(self.data.run(TakeDueRemovals(timedelta(days=1), NODE), LATER)))

    def assert_pending(self, image: Image, data: StagedData) -> None:
        """Fail unless staged data waits for its deletion, on the node that has it."""
        (pending,) = self.data.run(ListRemovals(image.id))
        expected = (data.url, {"store": data.store}, data.node_url)
        self.assertEqual(expected, (pending.url, pending.metadata, pending.node_url))
        self.assertIsNone(self.data.run(GetStaged(image.id)))

    def counts(self) -> tuple[int, ...]:
        """Return the bytes staged, the bytes stored and the uploads of the project."""
        return tuple(self.used(one) for one in (IMAGE_STAGE_TOTAL, IMAGE_SIZE_TOTAL, IMAGE_COUNT_UPLOADING))
