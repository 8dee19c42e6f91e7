"""Operations become data-access calls, on a real database; what the calls do is tested with them."""

from datetime import datetime, timedelta
from typing import Any

import testtools

from glance_mini.domain.cause import Cause
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.errors import Forbidden, Gone, NotFound, StatusConflict
from glance_mini.domain.event import Event
from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import JobQuery
from glance_mini.domain.staging import STAGING_STORE, StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.operations import DataCall, images, locations, members, records, tasks
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.samples import TIME, make_context, make_image, make_job
from glance_mini.testing.timed import TimedAccess
from tests.unit.layers.support import ADMIN, make_database, make_database_layer, stand


class DatabaseCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = TIME
        self.stack, _ = stand(make_database_layer(TimedAccess(make_database(self), self.clock)))

    def clock(self) -> datetime:
        return self.now

    def create(self, **values: object) -> str:
        created = self.stack.call(ADMIN, images.CreateImage(base={"owner": "p1", **values}))
        return str(created.id)


class TestImages(DatabaseCase):
    def test_a_new_image_is_queued_with_the_time_and_an_id(self) -> None:
        op = images.CreateImage(base={"owner": "p1", "tags": ["a", "b"], "min_ram": 3}, properties={"k": "v"})
        created = self.stack.call(ADMIN, op)
        self.assertEqual(created, self.stack.call(ADMIN, images.GetImage(created.id)))
        expected = make_image(
            id=created.id,
            status="queued",
            name=None,
            container_format=None,
            disk_format=None,
            size=None,
            locations=(),
            tags=("a", "b"),
            min_ram=3,
            properties={"k": "v"},
        )
        self.assertEqual(expected, created)
        self.assertEqual(36, len(created.id))

    def test_an_id_may_be_chosen(self) -> None:
        created = self.stack.call(ADMIN, images.CreateImage(id="11111111-2222-3333-4444-555555555555"))
        self.assertEqual("11111111-2222-3333-4444-555555555555", created.id)

    def test_an_update_without_changes_writes_nothing(self) -> None:
        image_id = self.create()
        self.now = TIME + timedelta(hours=1)
        self.assertEqual(TIME, self.stack.call(ADMIN, images.UpdateImage(image_id)).updated_at)
        rename = images.UpdateImage(image_id, changes=(PropertyChange("replace", "name", "x"),))
        self.assertEqual(self.now, self.stack.call(ADMIN, rename).updated_at)

    def test_deactivation_is_a_switch_that_may_be_pressed_twice(self) -> None:
        image_id = self.create(status="active")
        for op, status in (
            (images.ReactivateImage, "active"),
            (images.DeactivateImage, "deactivated"),
            (images.DeactivateImage, "deactivated"),
            (images.ReactivateImage, "active"),
        ):
            self.assertEqual(status, self.stack.call(ADMIN, op(image_id)).status)
            self.assertEqual(status, self.stack.call(ADMIN, images.GetImage(image_id)).status)

    def test_only_an_image_with_data_is_switched(self) -> None:
        for status in ("queued", "saving", "uploading", "importing", "killed"):
            image_id = self.create(status=status)
            for op in (images.DeactivateImage(image_id), images.ReactivateImage(image_id)):
                error = self.assertRaises(Forbidden, self.stack.call, ADMIN, op)
                self.assertIn(status, str(error))

    def test_an_image_that_was_switched_meanwhile_is_a_conflict(self) -> None:
        image_id = self.create(status="active")
        seen = self.stack.call(ADMIN, images.GetImage(image_id))
        self.stack.call(ADMIN, images.DeactivateImage(image_id))
        late = images.DeactivateImage(image_id, seen)
        self.assertRaises(StatusConflict, self.stack.call, ADMIN, late)

    def test_a_deleted_image_comes_back_as_it_was_deleted(self) -> None:
        image_id = self.create(name="gone")
        self.now = TIME + timedelta(hours=1)
        deleted = self.stack.call(ADMIN, images.DeleteImage(image_id))
        self.assertEqual(("deleted", "gone", self.now), (deleted.status, deleted.name, deleted.deleted_at))


class TestDelayedDeletion(DatabaseCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = TimedAccess(make_database(self), self.clock)
        self.stack, _ = stand(make_database_layer(self.data, scrub_after=timedelta(hours=1)))

    def delete(self, **values: object) -> Image:
        deleted: Image = self.stack.call(ADMIN, images.DeleteImage(self.create(**values)))
        return deleted

    def test_an_image_with_data_is_restored_as_it_was(self) -> None:
        for status in ("active", "deactivated"):
            deleted = self.delete(status=status)
            self.assertEqual("pending_delete", deleted.status)
            self.assertRaises(NotFound, self.stack.call, ADMIN, images.GetImage(deleted.id))
            self.assertEqual(status, self.stack.call(ADMIN, images.RestoreImage(deleted.id)).status)
            self.assertEqual(status, self.stack.call(ADMIN, images.GetImage(deleted.id)).status)

    def test_an_image_without_data_is_gone(self) -> None:
        for status in ("queued", "uploading", "importing"):
            deleted = self.delete(status=status)
            self.assertEqual("deleted", deleted.status)
            self.assertRaises(NotFound, self.stack.call, ADMIN, images.RestoreImage(deleted.id))

    def test_only_a_deleted_image_is_restored(self) -> None:
        for status in ("queued", "active", "deactivated"):
            op = images.RestoreImage(self.create(status=status))
            self.assertRaises(StatusConflict, self.stack.call, ADMIN, op)
        self.assertRaises(NotFound, self.stack.call, ADMIN, images.RestoreImage("nonesuch"))

    def test_a_deletion_brings_a_job_that_is_due_when_the_image_cannot_be_restored_any_more(self) -> None:
        deleted = self.delete(status="active")
        (job,) = self.data.run(ListTasks(JobQuery(kinds=("scrub",)))).jobs
        found = (job.image_id, job.created_at, job.due_at, job.user_id, job.token)
        self.assertEqual((deleted.id, TIME, TIME + timedelta(hours=1), ADMIN.user_id, None), found)


class TestImports(DatabaseCase):
    formats = {"disk_format": "raw", "container_format": "bare"}

    def stage(self, image_id: str) -> None:
        transfer = Transfer("t1", image_id, "p1", "process", STAGING_STORE, "name", 4)
        begun = self.stack.call(ADMIN, records.BeginTransfer(transfer, timedelta(minutes=1), to_staging=True))
        self.assertEqual("uploading", begun.status)
        staged = StagedData(image_id, STAGING_STORE, "file:///staging/x", 4, "https://node1", TIME)
        self.assertEqual(4, self.stack.call(ADMIN, records.RecordStaged(transfer, staged)).size)
        self.assertEqual(staged, self.stack.call(ADMIN, records.GetStaged(image_id)))

    def test_staged_data_is_known_until_it_is_forgotten(self) -> None:
        image_id = self.create()
        self.assertIsNone(self.stack.call(ADMIN, records.GetStaged(image_id)))
        self.stage(image_id)
        self.stack.call(ADMIN, records.ForgetStaged(image_id))
        self.assertIsNone(self.stack.call(ADMIN, records.GetStaged(image_id)))

    def test_a_deleted_image_leaves_its_staged_data_to_be_deleted(self) -> None:
        image_id = self.create()
        self.stage(image_id)
        self.stack.call(ADMIN, images.DeleteImage(image_id))
        (pending,) = self.stack.call(ADMIN, records.ListRemovals(image_id))
        self.assertEqual(({"store": STAGING_STORE}, "https://node1"), (pending.metadata, pending.node_url))

    def test_the_jobs_of_an_image_are_its_tasks(self) -> None:
        image_id = self.create(**self.formats)
        job = make_job(image_id=image_id)
        begin = records.BeginImport(job, "queued", "importing", {"os_glance_import_task": job.id})
        self.assertEqual("importing", self.stack.call(ADMIN, begin).image.status)
        self.assertEqual([job.id], [one.id for one in self.stack.call(ADMIN, tasks.ListImageTasks(image_id)).jobs])
        self.assertEqual((), self.stack.call(ADMIN, tasks.ListImageTasks(self.create())).jobs)

    def test_the_locations_of_an_image_are_those_it_has(self) -> None:
        image = make_image()
        self.assertEqual(image.locations, self.stack.call(ADMIN, locations.GetLocations(image.id, image)))

    def test_a_copy_that_no_worker_holds_is_not_recorded(self) -> None:
        image_id = self.create(**self.formats)
        job = make_job(image_id=image_id)
        self.stack.call(ADMIN, records.BeginImport(job, "queued", "importing", {"os_glance_import_task": job.id}))
        stored = StoredData(Location("memory://fast/x"), 4, None, None, None, None)
        self.assertRaises(Gone, self.stack.call, ADMIN, records.RecordImport(job, stored, {}, "active"))
        self.assertRaises(Gone, self.stack.call, ADMIN, records.EndImport(job, {}, "queued"))
        self.assertEqual("importing", self.stack.call(ADMIN, images.GetImage(image_id)).status)


class TestCauses(testtools.TestCase):
    def test_a_data_call_carries_the_call_of_the_api_that_caused_it(self) -> None:
        caused: list[tuple[str, str | None]] = []

        def rules(call: DataCall[Any], result: Any, cause: Cause | None) -> tuple[Event, ...]:
            caused.append((call.name, cause and cause.operation))
            return ()

        stack, _ = stand(make_database_layer(make_database(self, event_rules=rules)))
        image = stack.call(ADMIN, images.CreateImage(base={"owner": "p1", "status": "active"}))
        rename = (PropertyChange("replace", "name", "x"),)
        for op in (images.UpdateImage(image.id, changes=rename), images.DeactivateImage(image.id)):
            stack.call(ADMIN, op)
        stack.call(ADMIN, images.DeleteImage(image.id))
        expected = [
            ("create_image", "create_image"),
            ("update_image", "update_image"),
            ("set_status", "deactivate_image"),
            ("mark_deleted", "delete_image"),
        ]
        self.assertEqual(expected, caused)


class TestTasks(DatabaseCase):
    def test_a_task_is_a_job_of_its_caller(self) -> None:
        caller = make_context(user_id="u7", project_id="p7", request_id="req-7")
        job = self.stack.call(caller, tasks.CreateTask("import", {"import_from": "http://x/"}))
        self.assertEqual(("import", "pending", {"import_from": "http://x/"}), (job.kind, job.state, job.input))
        self.assertEqual(("p7", "u7", "req-7", TIME), (job.project_id, job.user_id, job.request_id, job.due_at))
        self.assertEqual(job, self.stack.call(ADMIN, tasks.GetTask(job.id)))
        self.assertEqual((job,), self.stack.call(ADMIN, tasks.ListTasks(JobQuery())).jobs)

    def test_work_of_the_service_itself_is_no_task(self) -> None:
        job = self.stack.call(ADMIN, tasks.CreateTask("scrub"))
        self.assertRaises(NotFound, self.stack.call, ADMIN, tasks.GetTask(job.id))
        self.assertEqual((), self.stack.call(ADMIN, tasks.ListTasks(JobQuery())).jobs)


class TestMembers(DatabaseCase):
    def test_a_membership_lives_from_its_beginning_to_its_end(self) -> None:
        image_id = self.create()
        added = self.stack.call(ADMIN, members.AddMember(image_id, member_id="p2"))
        self.assertEqual(("p2", "pending", TIME), (added.member_id, added.status, added.created_at))
        self.now = TIME + timedelta(hours=1)
        accepted = self.stack.call(ADMIN, members.UpdateMember(image_id, member_id="p2", status="accepted"))
        self.assertEqual(("accepted", self.now), (accepted.status, accepted.updated_at))
        self.assertEqual(accepted, self.stack.call(ADMIN, members.GetMember(image_id, member_id="p2")))
        ended = self.stack.call(ADMIN, members.DeleteMember(image_id, member_id="p2"))
        self.assertEqual(("p2", self.now), (ended.member_id, ended.deleted_at))
        self.assertEqual([], list(self.stack.call(ADMIN, members.ListMembers(image_id))))
