"""The contract for imports: the lock, the progress and the end."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.image import Location
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY, ImportBegun
from glance_mini.domain.job import Job
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, NO_LIMITS, Limits
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.jobs import CancelJob, FinishJob, GetJob, RenewJobs
from glance_mini.operations.records import (
    BeginImport,
    EndImport,
    FinishRemoval,
    ForgetStaged,
    GetStaged,
    ListRemovals,
    MarkDeleted,
    RecordImport,
)
from glance_mini.testing.data_access.job_samples import (
    AFTER_LEASE,
    EXPIRY,
    SOON,
    JobContractBase,
    data_in,
    job,
    progress,
)
from glance_mini.testing.data_access.samples import LATER, NOW, sample, stored

MINUTE = timedelta(minutes=1)


class ImportLockContract(JobContractBase):
    def test_import_takes_the_lock_and_adds_its_job(self) -> None:
        image = self.create(properties={"a": "b"})
        begun = job(image_id=image.id)
        started = self.data.run(BeginImport(begun, "queued", "importing", progress(begun)), SOON)
        expected = replace(image, status="importing", properties={"a": "b", **progress(begun)}, updated_at=SOON)
        added = replace(begun, created_at=SOON, updated_at=SOON, due_at=SOON)
        self.assertEqual(ImportBegun(expected, added), started)
        self.assertEqual(expected, self.image(image))
        self.assertEqual(added, self.data.run(GetJob(begun.id)))

    def test_image_in_another_status_is_not_imported(self) -> None:
        for status in ("uploading", "active", "importing"):
            image = self.create(status=status)
            begun = job(image_id=image.id)
            self.assertRaises(errors.StatusConflict, self.data.run, BeginImport(begun, "queued", "importing", {}), NOW)
            self.assertEqual(image, self.image(image))
            self.assertRaises(errors.NotFound, self.data.run, GetJob(begun.id))

    def test_image_that_is_not_there_is_not_imported(self) -> None:
        self.assertRaises(errors.NotFound, self.begin_import, sample())

    def test_missing_formats_are_a_conflict_that_names_them(self) -> None:
        error = self.assertRaises(errors.Conflict, self.begin_import, self.create(disk_format=None))
        self.assertIn("disk_format", str(error))
        self.assertNotIn("container_format", str(error))

    def test_second_import_waits_for_the_first(self) -> None:
        image = self.create(status="active")
        self.begin_import(image)
        for now in (NOW, NOW + 120 * MINUTE):
            self.assertRaises(errors.Conflict, self.begin_import, image, now)

    def test_lock_of_a_running_import_holds_as_long_as_its_lease(self) -> None:
        image = self.create(status="active")
        begun = self.start_import(image)
        late = NOW + timedelta(days=3)
        self.data.run(RenewJobs("worker", frozenset({begun.id}), late - NOW), NOW)
        self.assertRaises(errors.Conflict, self.begin_import, image, late)

    def test_lock_of_a_dead_import_holds_for_its_successor_and_is_broken_after_an_hour(self) -> None:
        image = self.create(status="active")
        dead = self.start_import(image)
        self.assertRaises(errors.Conflict, self.begin_import, image, NOW + 60 * MINUTE)
        broken_at = NOW + 61 * MINUTE
        new = job(image_id=image.id)
        begun = self.data.run(BeginImport(new, "active", "active", progress(new)), broken_at)
        self.assertEqual(new.id, self.image(image).properties[TASK_PROPERTY])
        (failed,) = begun.broken
        self.assertEqual(failed, self.data.run(GetJob(dead.id)))
        self.assertEqual(("failure", None, None), (failed.state, failed.token, failed.process))
        self.assertNotEqual("", failed.message)
        self.assertEqual(broken_at + timedelta(hours=48), failed.expires_at)
        self.assertRaises(errors.Gone, self.data.run, RecordImport(dead, data_in("fast"), {}, None), LATER)
        self.assertRaises(errors.Gone, self.data.run, EndImport(dead, {}, "active"), LATER)

    def test_lock_of_an_import_that_nobody_began_is_broken_after_two_hours(self) -> None:
        image = self.create(status="active")
        waiting = self.begin_import(image)
        self.begin_import(image, NOW + 121 * MINUTE)
        self.assertEqual("failure", self.data.run(GetJob(waiting.id)).state)

    def test_lock_of_a_job_that_is_gone_is_broken_and_its_image_queued_again(self) -> None:
        image = self.create()
        self.begin_import(image)
        self.data.run(UpdateImage(image.id, changes=(PropertyChange("add", TASK_PROPERTY, "no job"),)), NOW)
        self.begin_import(image)
        self.assertEqual("importing", self.image(image).status)

    def test_job_that_a_worker_holds_takes_the_lock_of_an_image_that_it_has_made(self) -> None:
        added = self.add(kind="hash")
        held = self.claim()
        image = self.create()
        with_image = replace(held, image_id=image.id)
        self.assertRaises(errors.LimitExceeded, self.take_lock, with_image, Limits({IMAGE_COUNT_UPLOADING: 0}))
        self.assertIsNone(self.data.run(GetJob(added.id)).image_id)
        self.take_lock(with_image)
        self.data.run(EndImport(with_image, {TASK_PROPERTY: None}, "queued"), SOON)
        self.take_lock(with_image)
        self.assertEqual(added.id, self.image(image).properties[TASK_PROPERTY])
        self.assertEqual((image.id, "processing"), ((now := self.data.run(GetJob(added.id))).image_id, now.state))
        self.assertEqual(1, self.used(IMAGE_COUNT_UPLOADING))
        # The worker that ends it may not have learned of the image.
        self.data.run(FinishJob(held, "failure", None, "", EXPIRY - SOON), SOON)
        self.assertEqual("queued", self.image(image).status)
        self.assertNotIn(TASK_PROPERTY, self.image(image).properties)
        self.assertEqual(0, self.used(IMAGE_COUNT_UPLOADING))

    def test_job_that_was_lost_or_cancelled_takes_no_lock(self) -> None:
        image = self.create()

        def cancel(held: Job) -> None:
            self.data.run(CancelJob(held.id), SOON)

        def take_over(held: Job) -> None:
            self.claim("other", AFTER_LEASE)

        for lose in (take_over, cancel):
            self.add(kind="hash")
            held = self.claim()
            lose(held)
            self.assertRaises(errors.Gone, self.take_lock, replace(held, image_id=image.id))
            self.assertEqual("queued", self.image(image).status)

    def take_lock(self, held: Job, limits: Limits = NO_LIMITS) -> None:
        """Let a job that is running already import into its image."""
        self.data.run(BeginImport(held, "queued", "importing", progress(held), limits), SOON)

    def test_of_imports_begun_at_once_one_wins(self) -> None:
        image = self.create(status="active")
        tried = [job(image_id=image.id) for _ in range(20)]
        results = self.at_once(
            lambda one: self.data.run(BeginImport(one, "active", "active", progress(one)), NOW), tried
        )
        self.assertEqual(19, sum(isinstance(one, errors.Conflict) for one in results))
        holder = self.image(image).properties[TASK_PROPERTY]
        won = [one.id for one, result in zip(tried, results, strict=True) if not isinstance(result, Exception)]
        self.assertEqual([holder], won)
        self.assertEqual(1, self.used(IMAGE_COUNT_UPLOADING))

    def test_import_counts_as_an_upload_until_its_job_ends(self) -> None:
        for end in (self.succeed, self.fail_it, self.cancel):
            image = self.create()
            begun = self.begin_import(image)
            self.assertEqual(1, self.used(IMAGE_COUNT_UPLOADING))
            refused = Limits({IMAGE_COUNT_UPLOADING: 1})
            self.assertRaises(errors.LimitExceeded, self.begin_import, self.create(), limits=refused)
            end(begun)
            self.assertEqual(0, self.used(IMAGE_COUNT_UPLOADING))

    def test_import_of_staged_data_counts_once(self) -> None:
        image = self.create()
        self.stage(image)
        self.begin_import(self.image(image), limits=Limits({IMAGE_COUNT_UPLOADING: 1}))
        self.assertEqual(1, self.used(IMAGE_COUNT_UPLOADING))
        self.data.run(ForgetStaged(image.id))
        self.assertEqual(0, self.used(IMAGE_COUNT_UPLOADING))

    def test_import_of_data_on_a_nodes_own_disk_is_bound_to_that_node(self) -> None:
        for node_url in ("http://node1", None):
            image = self.create()
            self.stage(image, node_url=node_url)
            begun = self.begin_import(self.image(image))
            self.assertEqual(node_url, self.data.run(GetJob(begun.id)).node_url)

    def succeed(self, begun: Job) -> None:
        """Let a worker end the import well."""
        self.data.run(FinishJob(self.claim(), "success", {}, "", EXPIRY - NOW), NOW)

    def fail_it(self, begun: Job) -> None:
        """Let a worker end the import badly."""
        self.data.run(FinishJob(self.claim(), "failure", None, "", EXPIRY - NOW), NOW)

    def cancel(self, begun: Job) -> None:
        """Cancel the import before a worker takes it."""
        self.data.run(CancelJob(begun.id), NOW)


class ImportContract(JobContractBase):
    def test_first_store_sets_sizes_and_hashes_and_the_last_one_the_status(self) -> None:
        held = self.start_import(image := self.create())
        first = self.record(held, data_in("fast"), properties={IMPORTING_PROPERTY: "cheap"})
        self.assertEqual(("importing", 700, 1400), (first.status, first.size, first.virtual_size))
        self.assertEqual(("c" * 32, "sha512", "d" * 128), (first.checksum, first.os_hash_algo, first.os_hash_value))
        self.assertEqual("cheap", first.properties[IMPORTING_PROPERTY])
        second = self.record(held, data_in("cheap"), status="active")
        self.assertEqual("active", second.status)
        self.assertEqual(["fast", "cheap"], [one.store for one in second.locations])
        self.assertEqual(second, self.image(image))

    def test_every_store_counts_for_the_quota(self) -> None:
        held = self.start_import(image := self.create())
        self.record(held, data_in("fast"))
        self.assertEqual(700, self.used(IMAGE_SIZE_TOTAL))
        self.assertRaises(
            errors.LimitExceeded, self.record, held, data_in("cheap"), limits=Limits({IMAGE_SIZE_TOTAL: 1399})
        )
        self.assertRaises(errors.LimitExceeded, self.record, held, data_in("cheap"), limits=Limits(locations=1))
        self.record(held, data_in("cheap"), limits=Limits({IMAGE_SIZE_TOTAL: 1400}, locations=2))
        self.assertEqual(1400, self.used(IMAGE_SIZE_TOTAL))
        self.data.run(EndImport(held, {}, "queued", tuple(one.url for one in self.image(image).locations)), SOON)
        self.assertEqual(0, self.used(IMAGE_SIZE_TOTAL))

    def test_location_that_is_recorded_again_is_there_once(self) -> None:
        held = self.start_import(self.create())
        once = self.record(held, data_in("fast"))
        again = self.record(held, data_in("fast"), status="active")
        self.assertEqual(replace(once, status="active"), again)

    def test_data_that_differs_from_what_the_image_has_is_a_conflict(self) -> None:
        held = self.start_import(image := self.create())
        self.record(held, data_in("fast"))
        for wrong in ({"size": 701}, {"checksum": "e" * 32}, {"os_hash_value": "e" * 128}):
            self.assertRaises(errors.Conflict, self.record, held, replace(data_in("cheap"), **wrong))
        self.assertEqual(["fast"], [one.store for one in self.image(image).locations])

    def test_hash_that_the_image_was_promised_must_come_true(self) -> None:
        image = self.create(os_hash_algo="sha512", os_hash_value="a" * 128)
        held = self.start_import(image)
        self.assertRaises(errors.Conflict, self.record, held, data_in("fast"))

    def test_copy_hashed_by_another_algorithm_keeps_the_hash_of_the_image(self) -> None:
        image = self.insert(
            stored(size=700, checksum="c" * 32, os_hash_algo="sha256", os_hash_value="a" * 64, virtual_size=9),
        )
        held = self.start_import(image)
        copied = self.record(held, data_in("cheap", virtual_size=None))
        self.assertEqual(("sha256", "a" * 64, 9), (copied.os_hash_algo, copied.os_hash_value, copied.virtual_size))
        self.assertEqual(("active", ["file", "cheap"]), (copied.status, [one.store for one in copied.locations]))

    def test_data_is_not_recorded_where_older_data_waits_for_its_deletion(self) -> None:
        held = self.start_import(image := self.create())
        place = data_in("fast")
        self.record(held, place)
        self.data.run(EndImport(held, {}, None, (place.location.url,)), SOON)
        self.assertRaises(errors.Unavailable, self.record, held, place)
        (pending,) = self.data.run(ListRemovals(image.id))
        self.data.run(FinishRemoval(pending.id))
        self.assertEqual(1, len(self.record(held, place).locations))

    def test_failed_import_leaves_a_queued_image_and_pending_deletions(self) -> None:
        held = self.start_import(image := self.create())
        self.record(held, data_in("fast"))
        self.record(held, data_in("cheap"))
        urls = [one.url for one in self.image(image).locations]
        properties = {TASK_PROPERTY: None, IMPORTING_PROPERTY: "", FAILED_PROPERTY: "fast,cheap"}
        ended = self.data.run(EndImport(held, properties, "queued", tuple(urls)), LATER)
        expected = replace(image, properties={IMPORTING_PROPERTY: "", FAILED_PROPERTY: "fast,cheap"}, updated_at=LATER)
        self.assertEqual(expected, ended)
        self.assertEqual(expected, self.image(image))
        self.assertEqual(urls, [one.url for one in self.data.run(ListRemovals(image.id))])

    def test_progress_leaves_status_and_locations(self) -> None:
        held = self.start_import(image := self.create())
        self.record(held, data_in("fast"))
        after = self.data.run(EndImport(held, {FAILED_PROPERTY: "cheap"}, None), SOON)
        self.assertEqual(("importing", 1), (after.status, len(after.locations)))
        self.assertEqual("cheap", self.image(image).properties[FAILED_PROPERTY])

    def test_finished_import_unlocks_its_image(self) -> None:
        held = self.start_import(image := self.create())
        self.record(held, data_in("fast"), status="active")
        self.data.run(EndImport(held, {TASK_PROPERTY: None, IMPORTING_PROPERTY: ""}, None), SOON)
        self.data.run(FinishJob(held, "success", {"image_id": image.id}, "", EXPIRY - SOON), SOON)
        self.assertEqual("active", self.image(image).status)
        self.begin_import(self.image(image))

    def test_import_that_was_taken_over_records_nothing(self) -> None:
        lost = self.start_import(image := self.create())
        taken = self.claim("second", AFTER_LEASE)
        self.assertRaises(errors.Gone, self.record, lost, data_in("fast"))
        self.assertRaises(errors.Gone, self.data.run, EndImport(lost, {}, "queued"), SOON)
        self.record(taken, data_in("fast"), status="active")
        self.assertEqual("active", self.image(image).status)

    def test_import_of_an_image_that_was_deleted_records_nothing(self) -> None:
        held = self.start_import(image := self.create())
        self.data.run(MarkDeleted(image.id), SOON)
        self.assertRaises(errors.Gone, self.record, held, data_in("fast"))
        self.assertRaises(errors.Gone, self.data.run, EndImport(held, {}, "active"), SOON)
        self.assertEqual("failure", self.data.run(FinishJob(held, "failure", None, "", EXPIRY - SOON), SOON).state)

    def test_cancelled_import_may_only_put_back(self) -> None:
        held = self.start_import(image := self.create())
        self.record(held, data_in("fast"))
        self.data.run(CancelJob(held.id), SOON)
        self.assertRaises(errors.Gone, self.record, held, data_in("cheap"))
        self.assertRaises(errors.Gone, self.data.run, EndImport(held, {}, "active"), SOON)
        ended = self.data.run(EndImport(held, {TASK_PROPERTY: None}, "queued", (data_in("fast").location.url,)), SOON)
        self.assertEqual(("queued", ()), (ended.status, ended.locations))
        self.assertEqual("queued", self.image(image).status)

    def test_import_cancelled_before_it_began_gives_the_image_back(self) -> None:
        image = self.create()
        begun = self.begin_import(image)
        self.assertEqual("failure", self.data.run(CancelJob(begun.id), LATER).state)
        expected = {IMPORTING_PROPERTY: "", FAILED_PROPERTY: "fast,cheap"}
        self.assertEqual(replace(image, properties=expected, updated_at=LATER), self.image(image))

    def test_failed_import_that_did_not_clear_up_gives_the_image_back(self) -> None:
        image = self.create()
        data = self.stage(image)
        held = self.start_import(self.image(image))
        self.record(held, data_in("fast"), properties={IMPORTING_PROPERTY: "cheap"})
        self.data.run(FinishJob(held, "failure", None, "gave up badly", EXPIRY - LATER), LATER)
        expected = {IMPORTING_PROPERTY: "", FAILED_PROPERTY: "cheap"}
        self.assertEqual(replace(image, properties=expected, updated_at=LATER), self.image(image))
        self.assertIsNone(self.data.run(GetStaged(image.id)))
        pending = {one.url for one in self.data.run(ListRemovals(image.id))}
        self.assertEqual({data.url, data_in("fast").location.url}, pending)
        used = [self.used(one) for one in (IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, IMAGE_COUNT_UPLOADING)]
        self.assertEqual([0, 0, 0], used)

    def test_staged_data_that_is_stored_counts_once_for_the_limit_of_all_bytes(self) -> None:
        together = {IMAGE_SIZE_TOTAL: (IMAGE_STAGE_TOTAL,)}
        for limit, fits in ((699, False), (700, True)):
            image = self.create()
            self.stage(image)
            held = self.start_import(self.image(image))
            limits = Limits({IMAGE_SIZE_TOTAL: limit}, together=together)
            if fits:
                self.record(held, data_in("fast"), "active", limits=limits)
            else:
                self.assertRaises(errors.LimitExceeded, self.record, held, data_in("fast"), "active", limits=limits)
            self.data.run(MarkDeleted(image.id), LATER)
            self.data.run(ForgetStaged(image.id), LATER)

    def test_failed_copy_that_did_not_clear_up_keeps_what_it_has_copied(self) -> None:
        image = self.insert(stored(size=700))
        held = self.start_import(image)
        copied = self.record(held, data_in("cheap"), properties={IMPORTING_PROPERTY: ""})
        self.data.run(FinishJob(held, "failure", None, "", EXPIRY - SOON), SOON)
        after = self.image(image)
        self.assertEqual(("active", copied.locations), (after.status, after.locations))
        self.assertNotIn(TASK_PROPERTY, after.properties)

    def test_location_keeps_its_metadata(self) -> None:
        held = self.start_import(self.create())
        place = Location("s3://bucket/key", {"store": "fast", "parts": 3})
        recorded = self.record(held, data_in("fast", location=place))
        self.assertEqual({"store": "fast", "parts": 3}, recorded.locations[0].metadata)
