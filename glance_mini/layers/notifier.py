"""Publishes events without a data call: sent bytes, and errors and warnings of operations.

The events of changes come from the data calls themselves, see ``notifications.event_rules``. Publishing never delays
a request or makes it fail, see ``notifications.publisher``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Self, TypeVar

from oslo_config import cfg

from glance_mini.content.counted import CountedStream
from glance_mini.domain.context import Context
from glance_mini.domain.errors import GlanceMiniError, NotFound, Unavailable
from glance_mini.domain.event import Event, Payload
from glance_mini.domain.image import Image
from glance_mini.layers.base import Layer
from glance_mini.layers.services import Services
from glance_mini.notifications import payloads
from glance_mini.notifications.metadef_rules import EVENT_TYPES
from glance_mini.notifications.publisher import EventPublisher
from glance_mini.operations import data, images, imports, locations, members, tasks
from glance_mini.operations.base import ImageOperation, Operation
from glance_mini_store.errors import StoreError

R = TypeVar("R")

_FAILURES: Mapping[type[Operation[object]], str] = {
    images.CreateImage: "image.create",
    images.UpdateImage: "image.update",
    images.DeleteImage: "image.delete",
    images.DeactivateImage: "image.update",
    images.ReactivateImage: "image.update",
    data.UploadData: "image.upload",
    data.DownloadData: "image.send",
    imports.StageData: "image.update",
    locations.AddLocation: "image.update",
    locations.DeleteFromStore: "image.update",
    tasks.CreateTask: "task.create",
    members.AddMember: "image.member.create",
    members.UpdateMember: "image.member.update",
    members.DeleteMember: "image.member.delete",
    **EVENT_TYPES,
}
"""The event type of a failed operation, the same as of its success; the default has its name, see ``_event_of``."""


class NotifierLayer(Layer):
    """Publishes downloads and failures."""

    name = "notifier"

    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(services.publisher)

    def around(self, context: Context, op: Operation[R]) -> R:
        try:
            return self.below(context, op)
        except NotFound:
            raise
        except Exception as error:
            self._report_failure(context, op, error)
            raise

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        found = self.around(context, op)
        if found is not None and found.url is not None:
            return replace(found, on_redirect=lambda: self._report_redirect(context, op.target))
        if found is None or op.head:
            return found

        def report(sent: int) -> None:
            payload = payloads.send_payload(op.target, sent, context.user_id, context.project_id)
            self._publish(context, "image.send", payload, "info" if sent == found.length else "error", op.image_id)

        return replace(found, chunks=CountedStream(found.chunks, report))

    def _report_redirect(self, context: Context, image: Image) -> None:
        """Tell that a client was sent to the store, which alone knows what it reads there."""
        payload = payloads.send_payload(image, 0, context.user_id, context.project_id)
        self._publish(context, "image.send", {**payload, "redirected": True}, "info", image.id)

    def _report_failure(self, context: Context, op: Operation[object], error: Exception) -> None:
        refused = isinstance(error, GlanceMiniError) and not isinstance(error, Unavailable)
        known = isinstance(error, GlanceMiniError | StoreError)
        event = _FAILURES.get(type(op)) or _event_of(op)
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

    def _publish(self, context: Context, event: str, payload: Payload, priority: str, image_id: str | None) -> None:
        self._publisher.publish(Event(event, payload, priority, context.caller(), image_id))


def _event_of(op: Operation[object]) -> str:
    """Return the event type of a failed operation that has no event of its own."""
    return f"metadef.{op.name}" if "metadef" in op.name else f"image.{op.name}"
