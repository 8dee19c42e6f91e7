"""Which events a data call causes, what they say, and what they never say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import testtools

from glance_mini.domain.cause import Cause
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.event import Event
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import ImportBegun
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.domain.verification import Finding
from glance_mini.notifications.event_rules import RULES, events_for
from glance_mini.operations import (
    DATA_CALLS,
    bases,
    blocks,
    cache,
    event_log,
    identity,
    images,
    jobs,
    links,
    members,
    metadef_loading,
    migration,
    once,
    outbox,
    records,
    upload_sessions,
    verification,
)
from glance_mini.operations.base import DataCall
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image, make_job

CALLER = {"request_id": "req-1", "user_id": "u7", "project_id": "p7", "roles": ["member", "reader"]}

SECRET = "swift://user:passw0rd@host/container/object"
IMAGE = make_image(
    properties={"k": "v", "os_glance_importing_to_stores": "a,b"}, tags=("t",), locations=(Location(SECRET),)
)
QUEUED = replace(IMAGE, status="queued", size=None, locations=())
DELETED = replace(IMAGE, status="deleted", deleted_at=TIME)
MEMBER = Member(IMAGE_ID, "p2", "pending", TIME, TIME)
TRANSFER = Transfer("t1", IMAGE_ID, "p7", "process", "fast", "name", 7)
STAGED = StagedData(IMAGE_ID, "staging", SECRET, 7, None)
DATA = StoredData(IMAGE.locations[0], 7, None, None, None, None)
JOB = make_job(input={"uri": SECRET}, stores=("b", "a"), result={"image_id": "x"}, token="tOkEn")
SCRUB = make_job(kind="scrub")
LEASE = timedelta(seconds=60)
RENAME = (PropertyChange("replace", "name", "changed"),)

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

CHANGES: list[tuple[str, DataCall[Any], Any, list[tuple[str, set[str]]]]] = [
    ("create_image", images.CreateImage(), IMAGE, [("image.create", IMAGE_KEYS)]),
    ("update_image", images.UpdateImage(IMAGE_ID, IMAGE, RENAME), IMAGE, [("image.update", IMAGE_KEYS)]),
    ("delete_from_store", images.UpdateImage(IMAGE_ID, IMAGE, RENAME), IMAGE, [("image.update", IMAGE_KEYS)]),
    ("restore_image", images.RestoreImage(IMAGE_ID), IMAGE, [("image.update", IMAGE_KEYS)]),
    (
        "deactivate_image",
        records.SetStatus(IMAGE_ID, "deactivated", frozenset({"active"})),
        IMAGE,
        [("image.update", IMAGE_KEYS)],
    ),
    ("delete_image", records.MarkDeleted(IMAGE_ID), DELETED, [("image.delete", IMAGE_KEYS)]),
    ("delete_image", records.MoveToTrash(IMAGE_ID, LEASE, SCRUB), IMAGE, [("image.delete", IMAGE_KEYS)]),
    ("delete_image", records.UndoDeletion(IMAGE), IMAGE, [("image.update", IMAGE_KEYS)]),
    ("upload_data", records.BeginTransfer(TRANSFER, LEASE), QUEUED, [("image.prepare", TRANSFER_KEYS)]),
    (
        "upload_data",
        records.RecordData(TRANSFER, DATA),
        IMAGE,
        [("image.upload", TRANSFER_KEYS), ("image.activate", IMAGE_KEYS), ("image.update", IMAGE_KEYS)],
    ),
    ("stage_data", records.RecordStaged(TRANSFER, STAGED), QUEUED, [("image.update", IMAGE_KEYS)]),
    ("add_member", members.AddMember(IMAGE_ID, None, "p2"), MEMBER, [("image.member.create", MEMBER_KEYS)]),
    ("update_member", members.UpdateMember(IMAGE_ID, None, "p2"), MEMBER, [("image.member.update", MEMBER_KEYS)]),
    ("delete_member", members.DeleteMember(IMAGE_ID, None, "p2"), MEMBER, [("image.member.delete", MEMBER_KEYS)]),
]
"""Operations of the API, a data call of each and its result, and the types of its events with the keys of payloads."""

SILENT = {
    once.PurgeKeys,
    bases.RecordDiskHashes,
    bases.SaveDiskIndex,
    blocks.SaveBlockHashes,
    blocks.BeginBlockHashes,
    records.DeleteFromTrash,
    records.PurgeImages,
    records.ReserveSpace,
    records.AbortTransfer,
    records.LeaveRemains,
    records.RenewLeases,
    records.TakeExpiredTransfers,
    records.TakeDueRemovals,
    records.HoldRemoval,
    records.FinishRemoval,
    records.ForgetStaged,
    records.DiscardStaged,
    records.SetProjectLimits,
    migration.TakeOverImages,
    migration.BuryImages,
    migration.TakeOverJobs,
    migration.TakeOverNamespaces,
    metadef_loading.WriteNamespaces,
    metadef_loading.RemoveNamespaces,
    cache.RecordCacheHits,
    cache.RecordCached,
    cache.ForgetCached,
    cache.QueueCaching,
    cache.UnqueueCaching,
    links.AddLink,
    links.DeleteLink,
    links.PurgeLinks,
    identity.IssueToken,
    identity.RevokeToken,
    identity.PurgeTokens,
    upload_sessions.AddUploadSession,
    upload_sessions.DeleteUploadSession,
    upload_sessions.SaveUpload,
    upload_sessions.TakeUnfinishedUploads,
    upload_sessions.PurgeUploadSessions,
    jobs.RenewJobs,
    jobs.SaveCheckpoint,
    jobs.ReleaseJob,
    jobs.RetryJob,
    jobs.PurgeJobs,
    event_log.RemoveEvents,
    outbox.AddEvents,
    outbox.TakeEvents,
    outbox.FinishEvents,
    outbox.ReleaseEvents,
    verification.BeginVerification,
    verification.EndVerification,
    verification.ReplaceLocation,
}
"""Calls that write and cause no event: those who listen have heard of it, or it is none of their business."""


def caused_by(operation: str, store: str | None = None) -> Cause:
    """Return a call of the API by the user u7."""
    return Cause(operation, "u7", "p7", ("member", "reader"), "req-1", store)


class RulesCase(testtools.TestCase):
    def events(self, operation: str, call: DataCall[Any], result: Any, store: str | None = None) -> list[Event]:
        """Return the events of a call in the name of ``operation``; all name the same caller and image."""
        events = events_for(call, result, caused_by(operation, store))
        for event in events:
            self.assertEqual(("info", CALLER, IMAGE_ID), (event.priority, event.caller, event.image_id))
        return events

    def types(self, operation: str, call: DataCall[Any], result: Any) -> list[str]:
        return [event.type for event in self.events(operation, call, result)]


class TestFindings(testtools.TestCase):
    def test_each_finding_causes_an_event_that_warns_while_it_is_open(self) -> None:
        hole = Finding("s", f"{IMAGE_ID}/1", "missing", reason="There is no data.", image_id=IMAGE_ID, size=7)
        stray = Finding("s", "stray", "unknown", "removed", name="stray")
        first, second = events_for(verification.RecordFindings((hole, stray), 10), 2, None)
        self.assertEqual(("store.missing", "warn", IMAGE_ID), (first.type, first.priority, first.image_id))
        self.assertEqual({"store", "kind", "state", "reason", "image_id", "name", "size"}, set(first.payload))
        self.assertEqual(("store.unknown", "info", None), (second.type, second.priority, second.image_id))


class TestChanges(RulesCase):
    def test_each_change_causes_its_events(self) -> None:
        for operation, call, result, expected in CHANGES:
            events = self.events(operation, call, result)
            self.assertEqual(expected, [(event.type, set(event.payload)) for event in events], call.name)

    def test_each_call_that_writes_has_a_rule_or_is_known_to_cause_no_event(self) -> None:
        self.assertEqual({call for call in DATA_CALLS if call.writes}, set(RULES) | SILENT)
        self.assertEqual(set(), set(RULES) & SILENT)

    def test_reading_causes_no_event(self) -> None:
        self.assertEqual([], self.events("get_image", records.LoadImage(IMAGE_ID), IMAGE))
        self.assertEqual([], self.events("get_task", jobs.GetJob(JOB.id), replace(JOB, state="success")))

    def test_change_without_a_cause_says_nothing_of_images_and_members(self) -> None:
        begin = records.BeginImport(JOB, "queued", "importing", {})
        for call, result in [*((call, result) for _, call, result, _ in CHANGES), (begin, ImportBegun(IMAGE, JOB))]:
            self.assertEqual([], events_for(call, result, None), call.name)

    def test_event_holds_the_values_of_its_image(self) -> None:
        (event,) = self.events("delete_image", records.MarkDeleted(IMAGE_ID), DELETED)
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
        self.assertEqual("v", dict(event.payload["properties"])["k"])  # type: ignore[call-overload]

    def test_event_holds_the_values_of_its_member(self) -> None:
        gone = replace(MEMBER, deleted_at=TIME)
        (event,) = self.events("delete_member", members.DeleteMember(IMAGE_ID, None, "p2"), gone)
        expected = {"image_id": IMAGE_ID, "member_id": "p2", "status": "pending", "deleted": True}
        self.assertEqual(expected, {name: event.payload[name] for name in expected})

    def test_deletion_that_is_taken_back_is_a_deletion_and_an_update(self) -> None:
        calls = ((records.MarkDeleted(IMAGE_ID), DELETED), (records.UndoDeletion(IMAGE), IMAGE))
        events = [event for call, result in calls for event in self.events("delete_image", call, result)]
        expected = [("image.delete", "deleted"), ("image.update", "active")]
        self.assertEqual(expected, [(event.type, event.payload["status"]) for event in events])


class TestTransfers(RulesCase):
    def test_upload_causes_four_events_by_two_calls(self) -> None:
        begin, record = records.BeginTransfer(TRANSFER, LEASE), records.RecordData(TRANSFER, DATA)
        events = [*self.events("upload_data", begin, QUEUED), *self.events("upload_data", record, IMAGE)]
        self.assertEqual(
            [("image.prepare", "saving"), *((f"image.{kind}", "active") for kind in ("upload", "activate", "update"))],
            [(event.type, event.payload["status"]) for event in events],
        )
        for event in events[:2]:
            stores = (event.payload["os_glance_importing_to_stores"], event.payload["os_glance_failed_import"])
            self.assertEqual((["a", "b"], []), stores)

    def test_prepare_names_the_store_that_the_request_named_and_no_other(self) -> None:
        begin = records.BeginTransfer(TRANSFER, LEASE)
        (named,), (unnamed,) = (self.events("upload_data", begin, QUEUED, store) for store in ("fast", None))
        self.assertEqual("fast", named.payload["backend"])
        self.assertNotIn("backend", unnamed.payload)

    def test_staging_is_seen_when_the_data_is_there(self) -> None:
        begin = records.BeginTransfer(TRANSFER, LEASE, to_staging=True)
        self.assertEqual([], self.events("stage_data", begin, QUEUED))
        self.assertEqual(["image.update"], self.types("stage_data", records.RecordStaged(TRANSFER, STAGED), QUEUED))


class TestImports(RulesCase):
    IMPORTING = replace(QUEUED, status="importing")

    def begin(self, operation: str, job: Job = JOB, image: Image = IMPORTING) -> list[Event]:
        """Return the events of the beginning of an import, or of the reading of a location."""
        call = records.BeginImport(job, "queued", image.status, {})
        return self.events(operation, call, ImportBegun(image, replace(job, attempts=0)))

    def test_import_causes_the_creation_of_a_task_and_a_preparation(self) -> None:
        task, prepare = self.begin("import_image")
        self.assertEqual(("task.create", TASK_KEYS), (task.type, set(task.payload)))
        self.assertEqual((None, "pending", "p1"), tuple(task.payload[name] for name in ("result", "status", "owner")))
        self.assertEqual(("image.prepare", TRANSFER_KEYS), (prepare.type, set(prepare.payload)))
        names = ("status", "os_glance_importing_to_stores", "os_glance_failed_import")
        self.assertEqual(("importing", ["b", "a"], []), tuple(prepare.payload[name] for name in names))

    def test_copy_prepares_an_image_that_stays_active(self) -> None:
        _, prepare = self.begin("import_image", image=IMAGE)
        self.assertEqual("active", prepare.payload["status"])

    def test_import_by_a_task_that_exists_creates_no_other(self) -> None:
        held = replace(JOB, kind="import", process="process")
        self.assertEqual(["image.prepare"], [event.type for event in self.begin("import_image", held)])

    def test_each_copy_is_an_upload_and_the_last_makes_active(self) -> None:
        for status, activate in ((None, []), ("active", ["image.activate"])):
            record = records.RecordImport(JOB, DATA, {}, status)
            self.assertEqual(["image.upload", *activate, "image.update"], self.types("record_import", record, IMAGE))

    def test_end_of_an_import_is_an_update_and_may_make_active(self) -> None:
        for status, activate in ((None, []), ("queued", []), ("active", ["image.activate"])):
            end = records.EndImport(JOB, {}, status)
            self.assertEqual([*activate, "image.update"], self.types("end_import", end, IMAGE))

    def test_added_location_makes_active_at_once(self) -> None:
        update = images.UpdateImage(IMAGE_ID, QUEUED, RENAME)
        self.assertEqual(["image.activate", "image.update"], self.types("add_location", update, IMAGE))

    def test_location_that_is_read_first_is_an_update_and_one_that_is_read_later_nothing_more(self) -> None:
        reading = replace(JOB, kind="location_import")
        self.assertEqual(["image.update"], [event.type for event in self.begin("add_location", reading)])
        self.assertEqual([], self.begin("add_location", reading, IMAGE))


class TestSecrets(RulesCase):
    def test_no_event_holds_a_location_or_a_token(self) -> None:
        everything = [event for operation, call, result, _ in CHANGES for event in self.events(operation, call, result)]
        begun = ImportBegun(IMAGE, JOB, (replace(JOB, state="failure"),))
        everything += events_for(records.BeginImport(JOB, "active", "active", {}), begun, caused_by("import_image"))
        everything += events_for(jobs.AddJob(JOB), JOB, caused_by("create_task"))
        everything += events_for(records.RecordImport(JOB, DATA, {}, "active"), IMAGE, caused_by("record_import"))
        everything += events_for(records.EndImport(JOB, {}, "active"), IMAGE, caused_by("end_import"))
        self.assertEqual(25, len(everything))
        text = repr(everything)
        for secret in ("passw0rd", "tOkEn", "swift://user"):
            self.assertNotIn(secret, text)
