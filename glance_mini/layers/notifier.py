"""Publishes every change, and every error and warning met while an image is used (reference section 21).

Events go out after the layers below have returned, so none is seen before its change. Publishing never delays and
never fails a request: see ``notifications.publisher``. With ``[notifications] delivery = outbox`` those that tell of a
change are stored in its transaction instead: see ``told_writes``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from oslo_config import cfg

from glance_mini.content.counted import WatchedChunks
from glance_mini.db.outbox_interface import OutboxEvent
from glance_mini.domain.context import Context
from glance_mini.domain.errors import GlanceMiniError, NotFound, Unavailable
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.layers.base import Layer, Services
from glance_mini.notifications import payloads
from glance_mini.notifications.event_rules import prepared, prepared_for, told
from glance_mini.notifications.outbox import OutboxPublisher
from glance_mini.notifications.payloads import Payload
from glance_mini.notifications.publisher import Event, Publisher
from glance_mini.operations import data, images, imports, members, tasks
from glance_mini.operations.base import ImageOperation, Operation
from glance_mini_store.errors import StoreError

_EVENTS: Mapping[type[Operation], str] = {
    images.CreateImage: "image.create",
    images.UpdateImage: "image.update",
    images.DeleteImage: "image.delete",
    images.DeactivateImage: "image.update",
    images.ReactivateImage: "image.update",
    images.RestoreImage: "image.update",
    data.UploadData: "image.upload",
    data.DownloadData: "image.send",
    imports.StageData: "image.update",
    imports.AddLocation: "image.update",
    imports.DeleteFromStore: "image.update",
    tasks.CreateTask: "task.create",
    members.AddMember: "image.member.create",
    members.UpdateMember: "image.member.update",
    members.DeleteMember: "image.member.delete",
}
"""The event that tells of an operation's success; its failure bears the same name at another priority."""


class NotifierLayer(Layer):
    """Tells the broker what was done, and what went wrong."""

    name = "notifier"

    def __init__(self, publisher: Publisher | OutboxPublisher) -> None:
        self._publisher = publisher
        self._outbox = publisher if isinstance(publisher, OutboxPublisher) else None

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(services.publisher)

    def around(self, context: Context, op: Operation) -> Any:
        result = self._below_reporting(context, op)
        event = _EVENTS.get(type(op))
        if isinstance(op, ImageOperation) and result == op.image:
            return result  # nothing was changed
        if event and isinstance(result, Image):
            self._tell(context, event, payloads.image_payload(result))
        elif event and isinstance(result, Member):
            self._tell(context, event, payloads.member_payload(result))
        elif event and isinstance(result, Job):
            self._tell(context, event, payloads.task_payload(result))
        return result

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        image: Image = self._below_reporting(context, replace(op, chunks=self._prepared(context, op)))
        self._tell(context, "image.upload", payloads.transfer_payload(image))
        self._tell(context, "image.activate", payloads.image_payload(image))
        self._tell(context, "image.update", payloads.image_payload(image))
        return image

    def import_image(self, context: Context, op: imports.ImportImage) -> Job | None:
        job: Job | None = self._below_reporting(context, op)
        if job is not None:
            if op.job is None:
                self._tell(context, "task.create", payloads.task_payload(job))
            self._tell(context, "image.prepare", prepared_for(op.target, job))
        return job

    def add_location(self, context: Context, op: imports.AddLocation) -> Image:
        image: Image = self._below_reporting(context, op)
        if image.status == "active":
            self._tell(context, "image.activate", payloads.image_payload(image))
        self._tell(context, "image.update", payloads.image_payload(image))
        return image

    def record_import(self, context: Context, op: imports.RecordImport) -> Image:
        """Tell of data that an import has brought into a store."""
        image: Image = self.below(self._telling(context, op), op)
        self._tell(context, "image.upload", payloads.transfer_payload(image))
        self._tell_of_import(context, image, op.status)
        return image

    def end_import(self, context: Context, op: imports.EndImport) -> Image:
        image: Image = self.below(self._telling(context, op), op)
        self._tell_of_import(context, image, op.status)
        return image

    def _tell_of_import(self, context: Context, image: Image, status: str | None) -> None:
        if status == "active":
            self._tell(context, "image.activate", payloads.image_payload(image))
        self._tell(context, "image.update", payloads.image_payload(image))

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        found: data.ImageData | None = self._below_reporting(context, op)
        if found is None or op.head:
            return found

        def report(sent: int) -> None:
            payload = payloads.send_payload(op.target, sent, context.user_id, context.project_id)
            self._publish(context, "image.send", payload, "info" if sent == found.length else "error", op.image_id)

        return replace(found, chunks=WatchedChunks(found.chunks, report))

    def _prepared(self, context: Context, op: data.UploadData) -> Iterator[bytes]:
        """Tell that data is coming when the first of it is asked for: after every check that needs none."""
        self._tell(context, "image.prepare", prepared(op.target, op.store))
        yield from op.chunks

    def _below_reporting(self, context: Context, op: Operation) -> Any:
        try:
            return self.below(self._telling(context, op), op)
        except NotFound:
            raise
        except Exception as error:
            self._report_failure(context, op, error)
            raise

    def _report_failure(self, context: Context, op: Operation, error: Exception) -> None:
        refused = isinstance(error, GlanceMiniError) and not isinstance(error, Unavailable)
        known = isinstance(error, GlanceMiniError | StoreError)
        event = _EVENTS.get(type(op), f"image.{op.name}")
        if isinstance(op, data.UploadData):
            refused = False
        image_id = op.image_id if isinstance(op, ImageOperation) else getattr(op, "id", None)
        payload = payloads.failure_payload(
            operation=op.name,
            image_id=image_id,
            request_id=context.request_id,
            code=getattr(error, "code", "internal"),
            message=str(error) if known else type(error).__name__,
        )
        self._publish(context, event, payload, "warn" if refused else "error", image_id)

    def _telling(self, context: Context, op: Operation) -> Context:
        """Return ``context`` with what tells of the writes of ``op`` where they are stored with their events."""
        outbox = self._outbox
        if outbox is None:
            return context
        caller = _caller(context)

        def tell(written: Operation, result: Any) -> Sequence[OutboxEvent]:
            events = told(op, written, result)
            return outbox.rows(Event(kind, payload, "info", caller, image_id) for kind, payload, image_id in events)

        return replace(context, tell=tell)

    def _tell(self, context: Context, event: str, payload: Payload) -> None:
        """Tell of a change, unless that is stored with it."""
        if self._outbox is None:
            self._publish(context, event, payload)

    def _publish(
        self, context: Context, event: str, payload: Payload, priority: str = "info", image_id: str | None = None
    ) -> None:
        self._publisher.publish(Event(event, payload, priority, _caller(context), image_id))


def _caller(context: Context) -> dict[str, object]:
    return {
        "request_id": context.request_id,
        "user_id": context.user_id,
        "project_id": context.project_id,
        "roles": list(context.roles),
    }
