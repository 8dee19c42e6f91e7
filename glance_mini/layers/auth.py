"""The outermost layer: may this caller see or change this image, by owner, membership and visibility.

Which roles may do what is the policy layer's question. An image that the caller may not see does not exist for them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.imports import COPY_IMAGE
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.domain.query import EVERYTHING, Page, Scope
from glance_mini.layers.base import Layer
from glance_mini.operations import data, images, imports, members, tasks
from glance_mini.operations.base import ImageOperation

_FOR_SERVICES = frozenset({imports.AddLocation.name, imports.GetLocations.name})
"""Operations for which services see the images of all projects; the policy rules say who is one."""


class AuthLayer(Layer):
    """Narrows what is read to what the caller may see, and refuses changes to everybody but owner and admin."""

    name = "auth"

    def load_image(self, context: Context, op: images.LoadImage) -> Image:
        scope = _scope(context)
        if op.purpose in _FOR_SERVICES and "service" in context.roles:
            scope = EVERYTHING
        image: Image = self.below(context, replace(op, scope=scope))
        return image

    def list_images(self, context: Context, op: images.ListImages) -> Page:
        page: Page = self.below(context, replace(op, scope=_scope(context)))
        return page

    def create_image(self, context: Context, op: images.CreateImage) -> Image:
        _require_writer(context)
        owner = op.base.get("owner", context.project_id)
        if owner != context.project_id and not context.is_admin:
            raise Forbidden(reason="You may not create images owned by another project.")
        image: Image = self.below(context, replace(op, base={**op.base, "owner": owner}))
        return image

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        if not context.is_admin and any(getattr(change, "name", None) == "owner" for change in op.changes):
            raise Forbidden(reason="Only an administrator may change the owner of an image.")
        image: Image = self._change(context, op)
        return image

    def delete_image(self, context: Context, op: images.DeleteImage) -> Image:
        image: Image = self._change(context, op)
        return image

    def deactivate_image(self, context: Context, op: images.DeactivateImage) -> Image:
        image: Image = self._change(context, op)
        return image

    def reactivate_image(self, context: Context, op: images.ReactivateImage) -> Image:
        image: Image = self._change(context, op)
        return image

    def restore_image(self, context: Context, op: images.RestoreImage) -> Image:
        image: Image = self._change(context, op)
        return image

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        image: Image = self._change(context, op)
        return image

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        if op.target.status == "deactivated" and not context.is_admin:
            raise Forbidden(reason="The image is deactivated; its data cannot be downloaded.")
        found: data.ImageData | None = self.below(context, op)
        return found

    def stage_data(self, context: Context, op: imports.StageData) -> Image:
        image: Image = self._change(context, op)
        return image

    def import_image(self, context: Context, op: imports.ImportImage) -> Job | None:
        """Begin an import; who may copy the images of others is left to the policy rules."""
        _require_writer(context)
        job: Job | None = self.below(context, op) if op.request.name == COPY_IMAGE else self._change(context, op)
        return job

    def add_location(self, context: Context, op: imports.AddLocation) -> Image:
        _require_writer(context)
        image: Image = self.below(context, op)
        return image

    def delete_from_store(self, context: Context, op: imports.DeleteFromStore) -> Image:
        image: Image = self._change(context, op)
        return image

    def list_tasks(self, context: Context, op: tasks.ListTasks) -> tuple[Job, ...]:
        if not context.is_admin:
            op = replace(op, query=replace(op.query, project_id=context.project_id or ""))
        found: tuple[Job, ...] = self.below(context, op)
        return found

    def get_task(self, context: Context, op: tasks.GetTask) -> Job:
        job: Job = self.below(context, op)
        if not context.is_admin and (job.project_id is None or job.project_id != context.project_id):
            raise NotFound(kind="task", id=op.task_id)
        return job

    def create_task(self, context: Context, op: tasks.CreateTask) -> Job:
        _require_writer(context)
        job: Job = self.below(context, op)
        return job

    def list_members(self, context: Context, op: members.ListMembers) -> Sequence[Member]:
        _require_shared(op.target)
        if not _owns(context, op.target):
            # A caller without a project is no member; None would ask for all.
            op = replace(op, member_id=context.project_id or "")
        found: Sequence[Member] = self.below(context, op)
        return found

    def get_member(self, context: Context, op: members.GetMember) -> Member:
        if op.target.visibility != "shared" or not _knows_member(context, op.target, op.member_id):
            raise NotFound(kind="member", id=op.member_id)
        member: Member = self.below(context, op)
        return member

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        _require_shared(op.target)
        member: Member = self._change(context, op)
        return member

    def update_member(self, context: Context, op: members.UpdateMember) -> Member:
        """Set a status, which only the member project itself may do, or an administrator (reference 8)."""
        _require_writer(context)
        _require_shared(op.target)
        if not _knows_member(context, op.target, op.member_id):
            raise NotFound(kind="member", id=op.member_id)
        if not context.is_admin and op.member_id != context.project_id:
            raise Forbidden(reason="Only the member project may change the status of its membership.")
        member: Member = self.below(context, op)
        return member

    def delete_member(self, context: Context, op: members.DeleteMember) -> Member:
        _require_shared(op.target)
        member: Member = self._change(context, op)
        return member

    def _change(self, context: Context, op: ImageOperation) -> Any:
        _require_writer(context)
        if not _owns(context, op.target):
            raise Forbidden(reason="You are not permitted to change this image.")
        return self.below(context, op)


def _scope(context: Context) -> Scope:
    return Scope(project_id=context.project_id, is_admin=context.is_admin)


def _owns(context: Context, image: Image) -> bool:
    return context.is_admin or (image.owner is not None and image.owner == context.project_id)


def _knows_member(context: Context, image: Image, member_id: str) -> bool:
    return _owns(context, image) or member_id == context.project_id


def _require_writer(context: Context) -> None:
    if context.read_only:
        raise Forbidden(reason="Anonymous callers may read only.")


def _require_shared(image: Image) -> None:
    if image.visibility != "shared":
        raise Forbidden(reason="Only shared images have members.")
