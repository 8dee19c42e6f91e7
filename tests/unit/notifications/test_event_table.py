"""Which event each data call causes, with which payload, and what no event says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import testtools

from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import ImportBegun
from glance_mini.domain.job import Job
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.notifications.event_rules import RULES, events_for
from glance_mini.operations import DATA_CALLS, images, jobs, members, records
from glance_mini.operations.base import DataCall
from glance_mini.testing.operations import make_operation, make_result
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image, make_job
from tests.unit.layers.support import make_member

CAUSE = Cause("update_image", "u7", "p7", ("member", "reader"), "req-1")
CALLER = {"request_id": "req-1", "user_id": "u7", "project_id": "p7", "roles": ["member", "reader"]}

IMAGE = make_image(
    properties={"k": "v", "os_glance_importing_to_stores": "a,b"},
    tags=("t",),
    locations=(Location("swift://user:passw0rd@host/container/object"),),
)
DELETED = replace(IMAGE, status="deleted", deleted_at=TIME)
MEMBER = make_member()
JOB = make_job(
    input={"import_req": {"uri": "http://secret/"}}, stores=("b", "a"), result={"image_id": "x"}, token="tOkEn"
)
TRANSFER = Transfer("t1", IMAGE_ID, "p1", "process", "fast", "name", 4)
STORED = StoredData(IMAGE.locations[0], 4, None, None, None, None)
STAGED = StagedData(IMAGE_ID, "os_glance_staging_store", "file:///staging/x", 4, None)
MINUTE = timedelta(minutes=1)

IMAGE_KEYS = {
    "id", "name", "status", "created_at", "updated_at", "min_disk", "min_ram", "protected", "checksum", "os_hash_algo",
    "os_hash_value", "os_hidden", "owner", "disk_format", "container_format", "size", "virtual_size", "is_public",
    "visibility", "properties", "tags", "deleted", "deleted_at",
}  # fmt: skip
TRANSFER_KEYS = IMAGE_KEYS | {"os_glance_importing_to_stores", "os_glance_failed_import"}
MEMBER_KEYS = {"image_id", "member_id", "status", "created_at", "updated_at", "deleted", "deleted_at"}
TASK_KEYS = {
    "id", "type", "status", "owner", "result", "message", "expires_at", "created_at", "updated_at", "deleted",
    "deleted_at",
}  # fmt: skip


def caused_by(operation: str, store: str | None = None) -> Cause:
    return replace(CAUSE, operation=operation, store=store)


class TableCase(testtools.TestCase):
    def types(self, call: DataCall[Any], result: Any, cause: Cause | None = CAUSE) -> list[str]:
        """Return the types of the events of a call, once each is information about the caller."""
        events = events_for(call, result, cause)
        self.assertEqual(set(), {event.priority for event in events} - {"info"})
        return [event.type for event in events]


class TestChanges(TableCase):
    def test_each_change_has_its_event(self) -> None:
        table: list[tuple[DataCall[Any], Any, str, set[str]]] = [
            (images.CreateImage(), IMAGE, "image.create", IMAGE_KEYS),
            (images.UpdateImage(IMAGE_ID), IMAGE, "image.update", IMAGE_KEYS),
            (images.RestoreImage(IMAGE_ID), IMAGE, "image.update", IMAGE_KEYS),
            (records.SetStatus(IMAGE_ID, "active", frozenset()), IMAGE, "image.update", IMAGE_KEYS),
            (records.MarkDeleted(IMAGE_ID), DELETED, "image.delete", IMAGE_KEYS),
            (records.MoveToTrash(IMAGE_ID, MINUTE, JOB), DELETED, "image.delete", IMAGE_KEYS),
            (records.UndoDeletion(IMAGE), IMAGE, "image.update", IMAGE_KEYS),
            (records.RecordStaged(TRANSFER, STAGED), IMAGE, "image.update", IMAGE_KEYS),
            (jobs.AddJob(JOB), JOB, "task.create", TASK_KEYS),
            (members.AddMember(IMAGE_ID, member_id="p2"), MEMBER, "image.member.create", MEMBER_KEYS),
            (members.UpdateMember(IMAGE_ID, member_id="p2"), MEMBER, "image.member.update", MEMBER_KEYS),
            (members.DeleteMember(IMAGE_ID, member_id="p2"), MEMBER, "image.member.delete", MEMBER_KEYS),
        ]
        for call, result, kind, keys in table:
            (event,) = events_for(call, result, CAUSE)
            self.assertEqual(
                (kind, "info", CALLER, keys), (event.type, event.priority, event.caller, set(event.payload))
            )
            self.assertEqual(IMAGE_ID, event.image_id, call.name)

    def test_reading_causes_no_event(self) -> None:
        self.assertEqual([], [call for call in RULES if not call.writes])
        for call in DATA_CALLS:
            if not call.writes:
                self.assertEqual([], events_for(make_operation(call), make_result(call), CAUSE), call.name)

    def test_without_a_cause_only_jobs_cause_events(self) -> None:
        for call in DATA_CALLS:
            kinds = {event.type.split(".")[0] for event in events_for(make_operation(call), make_result(call), None)}
            self.assertLessEqual(kinds, {"task"}, call.name)

    def test_an_image_is_shown_by_its_values(self) -> None:
        (event,) = events_for(records.MarkDeleted(IMAGE_ID), DELETED, CAUSE)
        expected = {
            "id": IMAGE_ID,
            "status": "deleted",
            "deleted": True,
            "deleted_at": "2026-01-02T03:04:05Z",
            "created_at": "2026-01-02T03:04:05Z",
            "tags": ["t"],
            "visibility": "shared",
            "is_public": False,
        }
        self.assertEqual(expected, {name: event.payload[name] for name in expected})
        self.assertEqual({"k": "v", "os_glance_importing_to_stores": "a,b"}, event.payload["properties"])


class TestUploads(TableCase):
    def begin(self, store: str | None = None, **values: Any) -> list[Event]:
        call = records.BeginTransfer(TRANSFER, MINUTE, **values)
        return events_for(call, replace(IMAGE, status="saving"), caused_by("upload_data", store))

    def test_an_upload_has_four_events(self) -> None:
        events = self.begin() + events_for(records.RecordData(TRANSFER, STORED), IMAGE, caused_by("upload_data"))
        expected = [
            ("image.prepare", TRANSFER_KEYS, "saving"),
            ("image.upload", TRANSFER_KEYS, "active"),
            ("image.activate", IMAGE_KEYS, "active"),
            ("image.update", IMAGE_KEYS, "active"),
        ]
        self.assertEqual(expected, [(each.type, set(each.payload), each.payload["status"]) for each in events])
        payload = events[0].payload
        stores = (payload["os_glance_importing_to_stores"], payload["os_glance_failed_import"])
        self.assertEqual((["a", "b"], []), stores)

    def test_prepare_names_the_store_that_was_asked_for(self) -> None:
        (event,) = self.begin(store="fast")
        self.assertEqual(("fast", TRANSFER_KEYS | {"backend"}), (event.payload["backend"], set(event.payload)))

    def test_a_staging_is_not_prepared(self) -> None:
        self.assertEqual([], self.begin(to_staging=True))


class TestImports(TableCase):
    def begin(
        self, job: Any = JOB, status: str = "importing", cause: str = "import_image", **values: Any
    ) -> list[Event]:
        begun = ImportBegun(replace(IMAGE, status=status, properties={}), replace(job, state="pending"), **values)
        return events_for(records.BeginImport(job, "queued", status, {}), begun, caused_by(cause))

    def test_an_import_that_begins_is_a_new_task_and_its_image_is_prepared(self) -> None:
        task, prepare = self.begin()
        self.assertEqual(("task.create", TASK_KEYS), (task.type, set(task.payload)))
        self.assertEqual((None, "pending", "p1"), tuple(task.payload[name] for name in ("result", "status", "owner")))
        self.assertEqual(("image.prepare", TRANSFER_KEYS), (prepare.type, set(prepare.payload)))
        stores = ("os_glance_importing_to_stores", "os_glance_failed_import")
        self.assertEqual((["b", "a"], []), tuple(prepare.payload[name] for name in stores))
        self.assertEqual(("importing", CALLER, CALLER), (prepare.payload["status"], task.caller, prepare.caller))
        self.assertNotIn("secret", repr((task, prepare)))

    def test_an_import_of_a_job_that_runs_already_is_no_new_task(self) -> None:
        self.assertEqual(["image.prepare"], [event.type for event in self.begin(replace(JOB, process="worker"))])

    def test_a_job_that_lost_its_place_to_an_import_has_failed(self) -> None:
        broken = make_job(id="old", state="failure", user_id="u1", project_id="p5")
        events = self.begin(broken=(broken,))
        self.assertEqual(["task.failure", "task.create", "image.prepare"], [event.type for event in events])
        self.assertEqual(("old", "p5"), (events[0].payload["id"], events[0].caller["project_id"]))

    def test_each_copy_has_its_events_and_the_last_makes_active(self) -> None:
        for status, kinds in (
            (None, ["image.upload", "image.update"]),
            ("active", ["image.upload", "image.activate", "image.update"]),
        ):
            self.assertEqual(kinds, self.types(records.RecordImport(JOB, STORED, {}, status), IMAGE))

    def test_the_end_of_an_import_has_its_events(self) -> None:
        for status, kinds in (
            (None, ["image.update"]),
            ("queued", ["image.update"]),
            ("active", ["image.activate", "image.update"]),
        ):
            self.assertEqual(kinds, self.types(records.EndImport(JOB, {}, status), IMAGE))

    def test_a_location_is_an_update_and_may_make_active(self) -> None:
        update = images.UpdateImage(IMAGE_ID)
        self.assertEqual(["image.activate", "image.update"], self.types(update, IMAGE, caused_by("add_location")))
        self.assertEqual(["image.update"], [event.type for event in self.begin(cause="add_location")])
        self.assertEqual([], self.begin(cause="add_location", status="active"))


class TestTasks(TableCase):
    def test_work_of_the_service_itself_is_no_task(self) -> None:
        self.assertEqual([], self.types(jobs.AddJob(JOB), replace(JOB, kind="scrub")))

    def test_a_task_names_the_caller_in_whose_name_it_acts(self) -> None:
        ended = replace(JOB, state="success", roles=("member",))
        (event,) = events_for(jobs.FinishJob(JOB, "success", None, "", MINUTE), ended, None)
        caller = {"request_id": "req-1", "user_id": "u1", "project_id": "p1", "roles": ["member"]}
        self.assertEqual(("task.success", caller), (event.type, event.caller))


class TestSecrets(testtools.TestCase):
    def test_no_event_holds_a_location_a_token_or_the_input_of_a_task(self) -> None:
        results = {records.BeginImport: ImportBegun(IMAGE, JOB, (replace(JOB, state="failure"),))}
        loaded = {Image: IMAGE, Job: replace(JOB, state="failure", attempts=1)}
        every: list[Event] = []
        for call in RULES:
            result = results.get(call, make_result(call))
            events = events_for(make_operation(call), loaded.get(type(result), result), CAUSE)
            self.assertNotEqual([], events, call.name)
            every += events
        text = repr(every)
        for secret in ("passw0rd", "tOkEn", "swift://", "secret", "import_req"):
            self.assertNotIn(secret, text)
