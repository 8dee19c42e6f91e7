"""The innermost layer: turns operations into data-access calls and gives domain values back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Self, cast
from uuid import uuid4

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain.clock import utcnow
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden
from glance_mini.domain.image import Image
from glance_mini.domain.member import Member
from glance_mini.domain.query import Page
from glance_mini.domain.transfer import Deletion
from glance_mini.layers.base import Layer, Services
from glance_mini.operations import data as data_ops
from glance_mini.operations import images, info, members


class DatabaseLayer(Layer):
    """Answers everything that is about records; one operation is one transaction."""

    name = "database"
    answers = frozenset(
        operation.name for module in (images, members) for operation in module.OPERATIONS
    ) | frozenset(operation.name for operation in data_ops.OPERATIONS if operation.internal) | {"count_usage"}

    def __init__(self, data: DataAccess, clock: Callable[[], datetime] = utcnow) -> None:
        self._data = data
        self._clock = clock

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(services.data)

    def load_image(self, context: Context, op: images.LoadImage) -> Image:
        return self._data.get_image(op.image_id, op.scope)

    def get_image(self, context: Context, op: images.GetImage) -> Image:
        return op.target

    def list_images(self, context: Context, op: images.ListImages) -> Page:
        return self._data.list_images(op.query, op.scope)

    def create_image(self, context: Context, op: images.CreateImage) -> Image:
        now = self._clock()
        base = cast(Mapping[str, object], {**op.base, "tags": tuple(cast(Sequence[str], op.base.get("tags", ())))})
        image = Image(
            id=op.id or str(uuid4()), created_at=now, updated_at=now, properties=op.properties, **base  # type: ignore[arg-type]
        )
        return self._data.create_image(image, op.limits)

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        if not op.changes:
            return op.target
        return self._data.update_image(op.image_id, op.changes, self._clock(), op.limits)

    def delete_image(self, context: Context, op: images.DeleteImage) -> Image:
        return self._data.delete_image(op.image_id, self._clock())

    def deactivate_image(self, context: Context, op: images.DeactivateImage) -> Image:
        return self._switch(op.target, "active", "deactivated")

    def reactivate_image(self, context: Context, op: images.ReactivateImage) -> Image:
        return self._switch(op.target, "deactivated", "active")

    def set_status(self, context: Context, op: images.SetStatus) -> Image:
        return self._data.set_status(op.image_id, op.status, op.expect, self._clock())

    def begin_transfer(self, context: Context, op: data_ops.BeginTransfer) -> Image:
        return self._data.begin_transfer(op.transfer, self._clock(), op.limits)

    def reserve_space(self, context: Context, op: data_ops.ReserveSpace) -> None:
        self._data.reserve_space(op.transfer_id, op.amount, op.limits)

    def is_youngest_transfer(self, context: Context, op: data_ops.IsYoungestTransfer) -> bool:
        return self._data.is_youngest_transfer(op.transfer_id)

    def record_data(self, context: Context, op: data_ops.RecordData) -> Image:
        return self._data.record_data(op.transfer, op.data, self._clock())

    def abort_transfer(self, context: Context, op: data_ops.AbortTransfer) -> None:
        self._data.abort_transfer(op.transfer, self._clock())

    def list_deletions(self, context: Context, op: data_ops.ListDeletions) -> Sequence[Deletion]:
        return self._data.list_deletions(op.image_id)

    def finish_deletion(self, context: Context, op: data_ops.FinishDeletion) -> None:
        self._data.finish_deletion(op.deletion_id)

    def restore_image(self, context: Context, op: data_ops.RestoreImage) -> Image:
        return self._data.restore_image(op.image, self._clock())

    def list_members(self, context: Context, op: members.ListMembers) -> Sequence[Member]:
        return self._data.list_members(op.image_id, op.member_id)

    def get_member(self, context: Context, op: members.GetMember) -> Member:
        return self._data.get_member(op.image_id, op.member_id)

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        return self._data.add_member(op.image_id, op.member_id, self._clock(), op.limit)

    def update_member(self, context: Context, op: members.UpdateMember) -> Member:
        return self._data.update_member(op.image_id, op.member_id, op.status, self._clock())

    def delete_member(self, context: Context, op: members.DeleteMember) -> Member:
        return self._data.delete_member(op.image_id, op.member_id, self._clock())

    def count_usage(self, context: Context, op: info.CountUsage) -> dict[str, int]:
        return self._data.get_usage(op.project_id)

    def _switch(self, image: Image, old: str, new: str) -> Image:
        """Move between active and deactivated; any other status answers 403 (reference 7)."""
        if image.status == new:
            return image
        if image.status != old:
            raise Forbidden(reason=f"Image {image.id} is {image.status}; this needs status {old}.")
        return self._data.set_status(image.id, new, frozenset({old}), self._clock())
