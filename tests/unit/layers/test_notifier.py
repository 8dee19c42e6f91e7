"""The events of downloads and of failures, with their payloads, and what they never say."""

from collections.abc import Iterator
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
from glance_mini.domain.event import Event
from glance_mini.domain.image import Location
from glance_mini.domain.query import ImageQuery
from glance_mini.layers.notifier import NotifierLayer
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Publisher
from glance_mini.operations import OPERATIONS, data, images, members, records
from glance_mini.operations.base import Operation
from glance_mini.operations.metadef_parts import AddTag, GetTag
from glance_mini.testing.operations import make_operation, make_result
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image, make_namespace
from glance_mini_store import errors as store_errors
from tests.unit.layers.support import stand

CALLER = make_context(user_id="u7", project_id="p7", request_id="req-1", auth_token="tOkEn")

IMAGE = make_image(
    properties={"k": "v", "os_glance_importing_to_stores": "a,b"},
    tags=("t",),
    locations=(Location("swift://user:passw0rd@host/container/object"),),
)
NAMESPACE = make_namespace()
RENAME = (PropertyChange("replace", "name", "changed"),)

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

    def fail(self, op: Operation, error: Exception) -> list[Event]:
        """Return the events of one call that ends with ``error``."""

        def raise_it(context: Context, op: Operation) -> None:
            raise error

        stack = self.stand(**{op.name: raise_it})
        self.assertIs(error, self.assertRaises(type(error), stack.call, CALLER, op))
        return self.heard()


class TestOthers(NotifierCase):
    def test_what_goes_well_is_published_by_the_data_calls_and_not_here(self) -> None:
        for operation in OPERATIONS:
            if operation is not data.DownloadData:
                op, result = make_operation(operation), make_result(operation)
                self.assertEqual([], self.call(op, **{op.name: result}), op.name)
                self.assertEqual(result, self.result)

    def test_data_calls_do_not_meet_the_layer(self) -> None:
        self.assertEqual([], self.fail(records.MarkDeleted(IMAGE_ID), Forbidden(reason="protected")))

    def test_an_upload_goes_through_as_it_comes(self) -> None:
        arrived: list[bytes] = []

        def take(context: Context, op: data.UploadData) -> Any:
            arrived.extend(op.chunks)
            return IMAGE

        self.stand(upload_data=take).call(CALLER, data.UploadData(IMAGE_ID, IMAGE, chunks=(b"ab", b"", b"cd")))
        self.assertEqual([b"ab", b"", b"cd"], arrived)


class TestDownloads(NotifierCase):
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

    def test_the_event_of_a_download_follows_its_last_byte(self) -> None:
        event = self.send(read=2)[0]
        self.assertEqual(("image.send", "info"), (event.type, event.priority))
        caller = {"request_id": "req-1", "user_id": "u7", "project_id": "p7", "roles": ["member", "reader"]}
        self.assertEqual((caller, IMAGE_ID), (event.caller, event.image_id))
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
            (upload, Conflict(reason="not queued"), "image.upload", "error", "conflict"),
            (members.AddMember(IMAGE_ID, IMAGE, "p2"), limit, "image.member.create", "warn", "quota.exceeded"),
            (AddTag("n", NAMESPACE, "t"), limit, "metadef_tag.create", "warn", "quota.exceeded"),
            (GetTag("n", NAMESPACE, "t"), Unavailable(reason="x"), "metadef.get_metadef_tag", "error", "unavailable"),
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

    def test_only_texts_made_for_people_are_published(self) -> None:
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
            everything += self.fail(images.DeleteImage(IMAGE_ID, IMAGE), error)
        self.assertEqual(4, len(everything))
        text = repr(everything)
        for secret in ("passw0rd", "tOkEn", "swift://user"):
            self.assertNotIn(secret, text)
