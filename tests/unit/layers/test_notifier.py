"""Which events tell of what, with which payload, and what they never say (reference 21)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import testtools

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    ClientGone,
    Conflict,
    Forbidden,
    GlanceMiniError,
    LimitExceeded,
    NotFound,
    Unavailable,
)
from glance_mini.domain.image import Location
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.notifier import NotifierLayer
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Event, Publisher
from glance_mini.operations import data, images, imports, info, members, tasks
from glance_mini.operations.base import Operation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_context, make_image, make_job
from glance_mini_store import errors as store_errors
from tests.unit.layers.support import make_member, stand

CALLER = make_context(user_id="u7", project_id="p7", request_id="req-1", auth_token="tOkEn")

IMAGE = make_image(
    properties={"k": "v", "os_glance_importing_to_stores": "a,b"},
    tags=("t",),
    locations=(Location("swift://user:passw0rd@host/container/object"),),
)
CHANGED = replace(IMAGE, name="changed")
DELETED = replace(IMAGE, status="deleted", deleted_at=TIME)
MEMBER = make_member()
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
SEND_KEYS = {"bytes_sent", "image_id", "owner_id", "receiver_tenant_id", "receiver_user_id"}
FAILURE_KEYS = {"operation", "image_id", "request_id", "code", "message"}


class Chunks(Iterator[bytes]):
    """Chunks of an image in a store; ``file`` where a server may send them by itself."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)
        self.is_closed = False

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        self.is_closed = True


class NotifierCase(testtools.TestCase):
    def stand(self, disabled: frozenset[str] = frozenset(), **answers_with: Any) -> Any:
        """Return a stack of the notifier; ``heard`` gives the events that it has sent by then."""
        events: list[Event] = []
        publisher = Publisher(events.append, Metrics(), 100, disabled)
        publisher.start()
        self.addCleanup(publisher.close)

        def heard() -> list[Event]:
            publisher.close()
            return events

        self.heard = heard
        stack, self.recorder = stand(NotifierLayer(publisher), **answers_with)
        return stack

    def call(self, op: Operation, **answers_with: Any) -> list[Event]:
        """Return the events of one call that goes well."""
        self.result = self.stand(**answers_with).call(CALLER, op)
        return self.heard()


class TestChanges(NotifierCase):
    def test_each_change_is_told_once_by_its_event(self) -> None:
        table: list[tuple[Operation, Any, str, set[str]]] = [
            (images.CreateImage(), IMAGE, "image.create", IMAGE_KEYS),
            (images.UpdateImage(IMAGE_ID, IMAGE, RENAME), CHANGED, "image.update", IMAGE_KEYS),
            (images.DeleteImage(IMAGE_ID, IMAGE), DELETED, "image.delete", IMAGE_KEYS),
            (images.DeactivateImage(IMAGE_ID, IMAGE), replace(IMAGE, status="deactivated"), "image.update", IMAGE_KEYS),
            (images.ReactivateImage(IMAGE_ID, replace(IMAGE, status="deactivated")), IMAGE, "image.update", IMAGE_KEYS),
            (images.RestoreImage(IMAGE_ID, replace(IMAGE, status="pending_delete")), IMAGE, "image.update", IMAGE_KEYS),
            (imports.StageData(IMAGE_ID, IMAGE), CHANGED, "image.update", IMAGE_KEYS),
            (imports.DeleteFromStore(IMAGE_ID, IMAGE), CHANGED, "image.update", IMAGE_KEYS),
            (tasks.CreateTask("import"), make_job(), "task.create", TASK_KEYS),
            (members.AddMember(IMAGE_ID, IMAGE, "p2"), MEMBER, "image.member.create", MEMBER_KEYS),
            (members.UpdateMember(IMAGE_ID, IMAGE, "p2", "accepted"), MEMBER, "image.member.update", MEMBER_KEYS),
            (members.DeleteMember(IMAGE_ID, IMAGE, "p2"), MEMBER, "image.member.delete", MEMBER_KEYS),
        ]
        for op, result, event, keys in table:
            heard = self.call(op, **{op.name: result})
            self.assertEqual([(event, "info")], [(one.type, one.priority) for one in heard], op.name)
            self.assertEqual(keys, set(heard[0].payload), op.name)
            self.assertEqual(result, self.result)

    def test_reading_tells_nothing(self) -> None:
        table: list[tuple[Operation, Any]] = [
            (images.GetImage(IMAGE_ID, IMAGE), IMAGE),
            (images.ListImages(ImageQuery()), Page((IMAGE,))),
            (members.ListMembers(IMAGE_ID, IMAGE), (MEMBER,)),
            (members.GetMember(IMAGE_ID, IMAGE, "p2"), MEMBER),
            (info.ListStores(), ()),
            (info.GetUsage(), {}),
            (imports.ListImageTasks(IMAGE_ID, IMAGE), (make_job(),)),
            (imports.GetLocations(IMAGE_ID, IMAGE), IMAGE.locations),
            (tasks.ListTasks(), (make_job(),)),
            (tasks.GetTask("t1"), make_job()),
        ]
        for op, result in table:
            self.assertEqual([], self.call(op, **{op.name: result}), op.name)

    def test_what_changes_nothing_tells_nothing(self) -> None:
        for op in (images.UpdateImage(IMAGE_ID, IMAGE), images.ReactivateImage(IMAGE_ID, IMAGE)):
            self.assertEqual([], self.call(op, **{op.name: IMAGE}), op.name)

    def test_an_event_comes_after_its_change(self) -> None:
        def change(context: Context, op: Operation) -> Any:
            self.assertEqual([], self.heard())
            return CHANGED

        self.call(images.UpdateImage(IMAGE_ID, IMAGE, RENAME), update_image=change)

    def test_an_image_is_told_by_its_values(self) -> None:
        payload = self.call(images.DeleteImage(IMAGE_ID, IMAGE), delete_image=DELETED)[0].payload
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
        self.assertEqual(expected, {name: payload[name] for name in expected})
        self.assertEqual("v", payload["properties"]["k"])

    def test_an_event_names_its_caller_without_the_token(self) -> None:
        event = self.call(images.CreateImage(), create_image=IMAGE)[0]
        caller = {"request_id": "req-1", "user_id": "u7", "project_id": "p7", "roles": ["member", "reader"]}
        self.assertEqual(caller, event.caller)

    def test_disabled_events_and_groups_are_silent(self) -> None:
        table = [("image.update", {"image.create"}), ("image", set()), ("task", {"image.update", "image.create"})]
        for disabled, left in table:
            stack = self.stand(frozenset({disabled}), update_image=CHANGED, create_image=IMAGE)
            stack.call(CALLER, images.UpdateImage(IMAGE_ID, IMAGE, RENAME))
            stack.call(CALLER, images.CreateImage())
            self.assertEqual(left, {event.type for event in self.heard()})


class TestImports(NotifierCase):
    def types(self, op: Operation, result: Any) -> list[str]:
        heard = self.call(op, **{op.name: result})
        self.assertEqual({"info"}, {event.priority for event in heard})
        return [event.type for event in heard]

    def test_an_import_is_told_when_it_begins_and_its_input_never(self) -> None:
        target = replace(IMAGE, status="uploading", properties={})
        op = imports.ImportImage(IMAGE_ID, target, ImportRequest({"name": "web-download", "uri": "http://secret/"}))
        values = {"import_req": {"uri": "http://secret/"}, "backend": ["b", "a"]}
        job = make_job(input=values, stores=("b", "a"), result={"image_id": "x"})
        task, prepare = self.call(op, import_image=job)
        self.assertEqual(("task.create", TASK_KEYS), (task.type, set(task.payload)))
        self.assertEqual((None, "pending", "p1"), tuple(task.payload[name] for name in ("result", "status", "owner")))
        self.assertEqual(("image.prepare", TRANSFER_KEYS), (prepare.type, set(prepare.payload)))
        self.assertEqual(("importing", ["b", "a"], []), tuple(
            prepare.payload[name] for name in ("status", "os_glance_importing_to_stores", "os_glance_failed_import")
        ))
        self.assertNotIn("secret", repr((task, prepare)))

    def test_an_import_with_nothing_to_do_tells_nothing(self) -> None:
        self.assertEqual([], self.call(imports.ImportImage(IMAGE_ID, IMAGE), import_image=None))

    def test_each_copy_is_told_and_the_last_makes_active(self) -> None:
        for status, events in (
            (None, ["image.upload", "image.update"]),
            ("active", ["image.upload", "image.activate", "image.update"]),
        ):
            op = imports.RecordImport(make_job(), None, {}, status)  # type: ignore[arg-type]
            self.assertEqual(events, self.types(op, IMAGE))

    def test_the_end_of_an_import_is_told(self) -> None:
        for status, events in (
            (None, ["image.update"]),
            ("queued", ["image.update"]),
            ("active", ["image.activate", "image.update"]),
        ):
            self.assertEqual(events, self.types(imports.EndImport(make_job(), {}, status), IMAGE))

    def test_a_location_is_told_and_may_make_active(self) -> None:
        op = imports.AddLocation(IMAGE_ID, replace(IMAGE, status="queued"), url="swift://user:passw0rd@host/c/o")
        self.assertEqual(["image.activate", "image.update"], self.types(op, IMAGE))
        self.assertEqual(["image.update"], self.types(op, replace(IMAGE, status="importing")))


class TestTransfers(NotifierCase):
    def upload(self, **values: Any) -> list[Event]:
        target = replace(IMAGE, status="queued", size=None)
        op = data.UploadData(IMAGE_ID, target, chunks=iter((b"ab", b"cd")), **values)
        return self.call(op, upload_data=lambda context, op: (list(op.chunks), IMAGE)[1])

    def test_an_upload_is_told_in_four_events(self) -> None:
        heard = self.upload()
        self.assertEqual(
            ["image.prepare", "image.upload", "image.activate", "image.update"], [event.type for event in heard]
        )
        self.assertEqual(
            [TRANSFER_KEYS, TRANSFER_KEYS, IMAGE_KEYS, IMAGE_KEYS], [set(event.payload) for event in heard]
        )
        self.assertEqual(["saving", "active", "active", "active"], [event.payload["status"] for event in heard])
        self.assertEqual((["a", "b"], []), (
            heard[0].payload["os_glance_importing_to_stores"], heard[0].payload["os_glance_failed_import"]
        ))  # fmt: skip

    def test_prepare_names_the_store_that_was_asked_for(self) -> None:
        self.assertEqual("fast", self.upload(store="fast")[0].payload["backend"])

    def test_prepare_is_told_when_data_is_first_asked_for(self) -> None:
        def refuse(context: Context, op: data.UploadData) -> None:
            raise Conflict(reason="not queued")

        stack = self.stand(upload_data=refuse)
        self.assertRaises(Conflict, stack.call, CALLER, data.UploadData(IMAGE_ID, IMAGE, chunks=(b"x",)))
        self.assertEqual([("image.upload", "error")], [(event.type, event.priority) for event in self.heard()])

    def test_the_data_goes_through_as_it_comes(self) -> None:
        arrived: list[bytes] = []

        def take(context: Context, op: data.UploadData) -> Any:
            arrived.extend(op.chunks)
            return IMAGE

        self.stand(upload_data=take).call(CALLER, data.UploadData(IMAGE_ID, IMAGE, chunks=(b"ab", b"", b"cd")))
        self.assertEqual([b"ab", b"", b"cd"], arrived)

    def send(self, read: int, length: int = 4) -> list[Event]:
        chunks = Chunks(b"ab", b"cd")
        found = data.ImageData(IMAGE, chunks, 0, length)
        stack = self.stand(download_data=found)
        sending = stack.call(CALLER, data.DownloadData(IMAGE_ID, IMAGE)).chunks
        for _ in range(read):
            next(sending)
        sending.close()
        sending.close()
        self.assertTrue(chunks.is_closed)
        return self.heard()

    def test_a_download_is_told_after_its_last_byte(self) -> None:
        event = self.send(read=2)[0]
        self.assertEqual(("image.send", "info"), (event.type, event.priority))
        expected = {
            "bytes_sent": 4,
            "image_id": IMAGE_ID,
            "owner_id": "p1",
            "receiver_tenant_id": "p7",
            "receiver_user_id": "u7",
        }
        self.assertEqual(expected, event.payload)

    def test_a_download_that_ends_early_is_an_error(self) -> None:
        for read in (0, 1):
            heard = self.send(read)
            self.assertEqual([("image.send", "error", 2 * read)], [
                (event.type, event.priority, event.payload["bytes_sent"]) for event in heard
            ])  # fmt: skip

    def test_an_image_without_data_sends_nothing(self) -> None:
        self.assertEqual([], self.call(data.DownloadData(IMAGE_ID, IMAGE), download_data=None))
        self.assertIsNone(self.result)


class TestFailures(NotifierCase):
    def fail(self, op: Operation, error: Exception) -> list[Event]:
        def raise_it(context: Context, op: Operation) -> None:
            raise error

        stack = self.stand(**{op.name: raise_it})
        self.assertIs(error, self.assertRaises(type(error), stack.call, CALLER, op))
        return self.heard()

    def test_a_refusal_is_a_warning_and_a_breakdown_an_error(self) -> None:
        update = images.UpdateImage(IMAGE_ID, IMAGE, RENAME)
        upload, download = data.UploadData(IMAGE_ID, IMAGE), data.DownloadData(IMAGE_ID, IMAGE)
        limit = LimitExceeded(resource="image_size_total", limit=1, wanted=2)
        table: list[tuple[Operation, Exception, str, str, str]] = [
            (update, Forbidden(reason="no"), "image.update", "warn", "forbidden"),
            (update, Unavailable(reason="no database"), "image.update", "error", "unavailable"),
            (update, ZeroDivisionError("inner workings"), "image.update", "error", "internal"),
            (images.CreateImage(id="i1"), limit, "image.create", "warn", "quota.exceeded"),
            (images.GetImage(IMAGE_ID, IMAGE), Unavailable(reason="x"), "image.get_image", "error", "unavailable"),
            (images.ListImages(ImageQuery()), Unavailable(reason="x"), "image.list_images", "error", "unavailable"),
            (upload, ClientGone(reason="gone"), "image.upload", "error", "body.broken"),
            (upload, limit, "image.upload", "error", "quota.exceeded"),
            (upload, store_errors.StorageFull(reason="disk"), "image.upload", "error", "store.full"),
            (download, store_errors.RemoteServiceUnavailable(reason="x"), "image.send", "error", "store.unavailable"),
            (download, Forbidden(reason="deactivated"), "image.send", "warn", "forbidden"),
            (members.AddMember(IMAGE_ID, IMAGE, "p2"), limit, "image.member.create", "warn", "quota.exceeded"),
        ]
        for op, error, event, priority, code in table:
            heard = self.fail(op, error)
            self.assertEqual([(event, priority)], [(one.type, one.priority) for one in heard], op.name)
            self.assertEqual(FAILURE_KEYS, set(heard[0].payload))
            self.assertEqual((op.name, "req-1", code), tuple(
                heard[0].payload[name] for name in ("operation", "request_id", "code")
            ))  # fmt: skip

    def test_a_failure_names_the_image_it_is_about(self) -> None:
        for op, image_id in ((images.CreateImage(id="i1"), "i1"), (images.DeleteImage(IMAGE_ID, IMAGE), IMAGE_ID)):
            self.assertEqual(image_id, self.fail(op, Forbidden(reason="no"))[0].payload["image_id"])
        self.assertIsNone(self.fail(images.ListImages(ImageQuery()), Conflict(reason="x"))[0].payload["image_id"])

    def test_what_does_not_exist_is_no_failure(self) -> None:
        self.assertEqual([], self.fail(images.GetImage(IMAGE_ID, IMAGE), NotFound(kind="image", id=IMAGE_ID)))

    def test_only_texts_made_for_people_are_told(self) -> None:
        update = images.UpdateImage(IMAGE_ID, IMAGE, RENAME)
        table: list[tuple[Exception, str]] = [
            (Forbidden(reason="not yours"), "not yours"),
            (ValueError("postgresql://user:passw0rd@host"), "ValueError"),
            (store_errors.NotFound(location="swift://user:passw0rd@host/c/o"), "no data at swift://host/c/o"),
        ]
        for error, message in table:
            self.assertEqual(message, self.fail(update, error)[0].payload["message"])


class TestSecrets(NotifierCase):
    def test_no_event_holds_a_location_or_a_token(self) -> None:
        everything: list[Event] = []
        everything += self.call(images.CreateImage(), create_image=IMAGE)
        everything += self.call(images.UpdateImage(IMAGE_ID, IMAGE, RENAME), update_image=CHANGED)
        everything += self.call(images.DeleteImage(IMAGE_ID, IMAGE), delete_image=DELETED)
        upload = data.UploadData(IMAGE_ID, IMAGE, chunks=(b"x",))
        everything += self.call(upload, upload_data=lambda context, op: (list(op.chunks), CHANGED)[1])
        found = data.ImageData(IMAGE, Chunks(b"ab"), 0, 2)
        stack = self.stand(download_data=found)
        stack.call(CALLER, data.DownloadData(IMAGE_ID, IMAGE)).chunks.close()
        everything += self.heard()
        failing: list[Exception] = [
            GlanceMiniError(),
            store_errors.BadStoreUri(location=IMAGE.locations[0].url, reason="it is nothing"),
            RuntimeError(repr(IMAGE.locations[0].url)),
        ]
        for error in failing:
            everything += TestFailures.fail(self, images.DeleteImage(IMAGE_ID, IMAGE), error)
        self.assertEqual(11, len(everything))
        text = repr(everything)
        for secret in ("passw0rd", "tOkEn", "swift://user"):
            self.assertNotIn(secret, text)
