"""The outermost layer: checks by owner, membership and visibility whether the caller may see or change something.

The policy layer checks roles. An image or a namespace that the caller may not see does not exist for them.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar, cast

from glance_mini.domain.bases import BASE_PROPERTY
from glance_mini.domain.blocks import BlockPage
from glance_mini.domain.context import Context
from glance_mini.domain.errors import ChainConflict, Forbidden, NotFound
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image
from glance_mini.domain.imports import COPY_IMAGE
from glance_mini.domain.job import Job, JobPage
from glance_mini.domain.links import Link, Maker, new_link
from glance_mini.domain.member import Member
from glance_mini.domain.metadefs import Namespace, NamespaceContent, NamespacePage
from glance_mini.domain.query import EVERYTHING, Page, Scope
from glance_mini.domain.upload_session import UploadSession
from glance_mini.layers.base import Layer
from glance_mini.operations import (
    blocks,
    data,
    disks,
    images,
    imports,
    links,
    locations,
    members,
    metadefs,
    tasks,
    upload_sessions,
)
from glance_mini.operations.base import ImageOperation, NamespaceOperation, Operation
from glance_mini.operations.bases import LoadChain
from glance_mini.operations.event_log import Watcher, WatchEvents
from glance_mini.operations.records import LoadImage

R = TypeVar("R")

_FOR_SERVICES = frozenset({locations.AddLocation.name, locations.GetLocations.name})
"""Operations for which callers with the role ``service`` see the images of all projects."""


class AuthLayer(Layer):
    """Limits reads to what the caller may see, and allows changes only to the owner and administrators."""

    name = "auth"

    def surrounds(self, operation: type[Operation[object]]) -> bool:
        return operation.writes

    def around(self, context: Context, op: Operation[R]) -> R:
        """Hand on the operation if the caller may write and owns the target, where that is needed; else Forbidden."""
        self.permit(context, op)
        op = self._with_base(context, op)
        try:
            return self.below(context, op)
        except ChainConflict as refusal:
            raise self._naming(context, refusal) from refusal

    def permit(self, context: Context, op: Operation[object]) -> None:
        """Raise Forbidden if the caller may not write, or does not own the target where that is needed."""
        _require_writer(context)
        if isinstance(op, NamespaceOperation) and not _owns_namespace(context, op.target):
            raise Forbidden(reason="You are not permitted to change this namespace.")
        if isinstance(op, ImageOperation) and op.for_owner and not _owns(context, op.target):
            raise Forbidden(reason="You are not permitted to change this image.")

    def load_image(self, context: Context, op: LoadImage) -> Image:
        is_service = op.purpose in _FOR_SERVICES and "service" in context.roles
        scope = EVERYTHING if is_service else Scope(context.project_id, context.is_admin)
        return self.below(context, replace(op, scope=scope))

    def list_images(self, context: Context, op: images.ListImages) -> Page:
        return self.below(context, replace(op, scope=Scope(context.project_id, context.is_admin)))

    def watch_events(self, context: Context, op: WatchEvents) -> Watcher:
        return self.below(context, replace(op, scope=_scope(context)))

    def create_image(self, context: Context, op: images.CreateImage) -> Image:
        owner = op.base.get("owner", context.project_id)
        if owner != context.project_id and not context.is_admin:
            raise Forbidden(reason="You may not create images owned by another project.")
        return self.around(context, replace(op, base={**op.base, "owner": owner}))

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        if not context.is_admin and any(getattr(change, "name", None) == "owner" for change in op.changes):
            raise Forbidden(reason="Only an administrator may change the owner of an image.")
        return self.around(context, op)

    def flatten_image(self, context: Context, op: disks.FlattenImage) -> Job | None:
        """Refuse at once what ``add_member`` will refuse after the job."""
        self.permit(context, op)
        if op.sharing.member is not None:
            _require_shared(op.target)
        return self.around(context, replace(op, chain=self._bases_too(context, op.target)))

    def coalesce_image(self, context: Context, op: disks.CoalesceImage) -> Job:
        """Make whole only what the caller may read with all of its bases."""
        self.permit(context, op)
        return self.around(context, replace(op, chain=self._bases_too(context, op.target)))

    def convert_image(self, context: Context, op: disks.ConvertImage) -> Job:
        """Convert only what the caller may read with all of its bases."""
        self.permit(context, op)
        return self.around(context, replace(op, chain=self._bases_too(context, op.target)))

    def _bases_too(self, context: Context, image: Image) -> tuple[Image, ...]:
        return () if image.base is None else self.below(context, LoadChain(image.id, _scope(context)))

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        """Read an incremental image only for callers who may see all of its bases."""
        return self.below(context, replace(op, chain=self._readable(context, op.target)))

    def list_blocks(self, context: Context, op: blocks.ListBlocks) -> BlockPage | None:
        """List blocks only for those who may download them."""
        return self.below(context, replace(op, chain=self._readable(context, op.target)))

    def _readable(self, context: Context, image: Image) -> tuple[Image, ...]:
        """Return the chain of an incremental image; raises Forbidden, NotFound if the caller may not see all of it."""
        _require_downloadable(context, image)
        return self._bases_too(context, image)

    def _with_base(self, context: Context, op: Operation[R]) -> Operation[R]:
        """Return ``op`` with the image that it names as a base, if the caller may see that (api-incremental-rules)."""
        wanted = _named_base(op)
        return with_fields(op, base_image=self._seen(context, wanted)) if wanted else op

    def _seen(self, context: Context, image_id: str, of_deleted: bool = False) -> Image | None:
        """Return an image, None if the caller may not see it."""
        try:
            return self.below(context, LoadImage(image_id, _scope(context), of_deleted=of_deleted))
        except NotFound:
            return None

    def _naming(self, context: Context, refusal: ChainConflict) -> ChainConflict:
        """Return ``refusal`` with the names of those images that the caller may see."""
        found = cast(Iterable[str], refusal.values["dependents"])
        seen = [image_id for image_id in found if self._seen(context, image_id, of_deleted=True) is not None]
        return ChainConflict(**{**refusal.values, "shown": f" It concerns {', '.join(seen)}." if seen else ""})

    def add_link(self, context: Context, op: links.AddLink) -> Link:
        """Make a link of this caller, who must be able to download the data now."""
        _require_downloadable(context, op.target)
        return self.around(context, replace(op, link=new_link(context, op.image_id)))

    def list_links(self, context: Context, op: links.ListLinks) -> tuple[Link, ...]:
        return self.below(context, replace(op, maker=_own_links(context, op.target)))

    def delete_link(self, context: Context, op: links.DeleteLink) -> None:
        return self.around(context, replace(op, maker=_own_links(context, op.target)))

    def list_upload_sessions(
        self, context: Context, op: upload_sessions.ListUploadSessions
    ) -> tuple[UploadSession, ...]:
        return self.around(context, op)

    def get_upload_session(self, context: Context, op: upload_sessions.GetUploadSession) -> UploadSession:
        return self.around(context, op)

    def import_image(self, context: Context, op: imports.ImportImage) -> Job | None:
        """Begin an import; only the policy rules limit ``copy-image`` of other projects' images."""
        if op.request.name != COPY_IMAGE and not _owns(context, op.target):
            raise Forbidden(reason="You are not permitted to change this image.")
        return self.around(context, op)

    def list_tasks(self, context: Context, op: tasks.ListTasks) -> JobPage:
        if not context.is_admin:
            op = replace(op, query=replace(op.query, project_id=context.project_id or ""))
        return self.below(context, op)

    def get_task(self, context: Context, op: tasks.GetTask) -> Job:
        job = self.below(context, op)
        if not context.is_admin and (job.project_id is None or job.project_id != context.project_id):
            raise NotFound(kind="task", id=op.task_id)
        return job

    def cancel_task(self, context: Context, op: tasks.CancelTask) -> Job:
        self.permit(context, op)
        self.get_task(context, tasks.GetTask(op.task_id))
        return self.around(context, op)

    def retry_task(self, context: Context, op: tasks.RetryTask) -> Job:
        self.permit(context, op)
        self.get_task(context, tasks.GetTask(op.task_id))
        return self.around(context, op)

    def list_members(self, context: Context, op: members.ListMembers) -> tuple[Member, ...]:
        _require_shared(op.target)
        if not _owns(context, op.target):
            # A caller without a project is not a member; None would ask for all members.
            op = replace(op, member_id=context.project_id or "")
        return self.below(context, op)

    def get_member(self, context: Context, op: members.GetMember) -> Member:
        if op.target.visibility != "shared" or not _knows_member(context, op.target, op.member_id):
            raise NotFound(kind="member", id=op.member_id)
        return self.below(context, op)

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        _require_shared(op.target)
        return self.around(context, op)

    def update_member(self, context: Context, op: members.UpdateMember) -> Member:
        """Set the status of a membership; only the member project or an administrator may do this (api-members)."""
        _require_writer(context)
        _require_shared(op.target)
        if not _knows_member(context, op.target, op.member_id):
            raise NotFound(kind="member", id=op.member_id)
        if not context.is_admin and op.member_id != context.project_id:
            raise Forbidden(reason="Only the member project may change the status of its membership.")
        return self.around(context, op)

    def delete_member(self, context: Context, op: members.DeleteMember) -> Member:
        _require_shared(op.target)
        return self.around(context, op)

    def load_metadef_namespace(self, context: Context, op: metadefs.LoadNamespace) -> Namespace:
        return self.below(context, replace(op, scope=_scope(context)))

    def get_metadef_namespaces(self, context: Context, op: metadefs.GetNamespaces) -> NamespacePage:
        return self.below(context, replace(op, scope=_scope(context)))

    def add_metadef_namespace(self, context: Context, op: metadefs.AddNamespace) -> NamespaceContent:
        namespace = _owned(context, op.content.namespace)
        return self.around(context, replace(op, content=replace(op.content, namespace=namespace)))

    def modify_metadef_namespace(self, context: Context, op: metadefs.ModifyNamespace) -> NamespaceContent:
        return self.around(context, replace(op, new=_owned(context, op.new)))


def _named_base(op: Operation[object]) -> str | None:
    """Return the id of the image that ``op`` names as a base, None if it names none."""
    if isinstance(op, data.UploadData):
        return op.target.properties.get(BASE_PROPERTY)
    return op.base_id if isinstance(op, disks.RebaseImage) else None


def _scope(context: Context) -> Scope:
    return Scope(context.project_id, context.is_admin)


def _owned(context: Context, namespace: Namespace) -> Namespace:
    """Return a namespace to be written, with an owner: the caller's project if it names none."""
    if namespace.owner is None:
        return replace(namespace, owner=context.project_id)
    if namespace.owner != context.project_id and not context.is_admin:
        raise Forbidden(reason="A namespace can be given to another project only by an administrator.")
    return namespace


def _owns_namespace(context: Context, namespace: Namespace) -> bool:
    return context.is_admin or (namespace.owner is not None and namespace.owner == context.project_id)


def _require_writer(context: Context) -> None:
    if context.read_only:
        raise Forbidden(reason="Anonymous callers may read only.")


def _owns(context: Context, image: Image) -> bool:
    return context.is_admin or (image.owner is not None and image.owner == context.project_id)


def _require_downloadable(context: Context, image: Image) -> None:
    if image.status == "deactivated" and not context.is_admin:
        raise Forbidden(reason="The image is deactivated; its data cannot be downloaded.")


def _own_links(context: Context, image: Image) -> Maker | None:
    """Return whose links the caller may see and end: None, all, if it owns the image."""
    return None if _owns(context, image) else (context.user_id, context.project_id)


def _knows_member(context: Context, image: Image, member_id: str) -> bool:
    return _owns(context, image) or member_id == context.project_id


def _require_shared(image: Image) -> None:
    if image.visibility != "shared":
        raise Forbidden(reason="Only shared images have members.")
