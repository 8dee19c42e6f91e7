"""Checks the policy rules; one table maps operations to rules (api-policies).

After a refusal by any layer, the stack asks ``get_image`` too (``hides``), to answer 404 instead of 403 to callers who
may not know of the image.
The rows of a list are checked against ``get_image`` only if an operator has changed that rule.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Self, TypeVar

from oslo_config import cfg

from glance_mini.domain.blocks import BlockPage
from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import NotFound, PolicyRefused
from glance_mini.domain.image import PLAIN_FIELDS, Image, plain_values
from glance_mini.domain.imports import COPY_IMAGE
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.domain.metadefs import Association, Namespace, NamespaceContent, NamespacePage, ObjectPage
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.base import Layer
from glance_mini.layers.policy import metadefs
from glance_mini.layers.services import Services
from glance_mini.operations import (
    blocks,
    cache,
    data,
    disks,
    images,
    imports,
    info,
    links,
    locations,
    members,
    tasks,
    upload_sessions,
)
from glance_mini.operations.base import ImageOperation, NamespaceOperation, Operation
from glance_mini.operations.event_log import Watcher, WatchEvents
from glance_mini.operations.metadef_parts import GetObjects
from glance_mini.operations.metadefs import AddNamespace, GetNamespaces, ListAssociations
from glance_mini.policies.enforcer import Enforcer

R = TypeVar("R")

Target = Mapping[str, object]
Rules = Callable[[Operation[object]], Iterator[str]]

_REFILL = 100
"""Minimum number of images to request when rules have removed images from a page."""

_OF_VISIBILITY = {"public": "publicize_image", "community": "communitize_image"}


def _only(*rules: str) -> Rules:
    return lambda op: iter(rules)


def _of_creation(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, images.CreateImage)
    yield "add_image"
    if rule := _OF_VISIBILITY.get(str(op.base.get("visibility"))):
        yield rule


def _of_changes(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, images.UpdateImage)
    location_changes = [change for change in op.changes if isinstance(change, LocationChange)]
    if len(location_changes) < len(op.changes) or not op.changes:
        yield "modify_image"
    for location_change in location_changes:
        yield "delete_image_location" if location_change.action == "remove" else "set_image_location"
    for change in op.changes:
        if isinstance(change, PropertyChange) and change.name == "visibility" and change.value != op.target.visibility:
            yield from filter(None, [_OF_VISIBILITY.get(str(change.value))])


def _of_flattening(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, disks.FlattenImage)
    yield "coalesce_image"
    if op.sharing.member is not None:
        yield "add_member"
    else:
        yield "modify_image"
        yield from filter(None, [_OF_VISIBILITY.get(str(op.sharing.visibility))])


def _of_conversion(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, disks.ConvertImage)
    yield "convert_image"
    if op.new_image is not None:
        yield "download_image"


def _of_download(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, data.DownloadData)
    yield "download_image"
    if op.prefer:
        yield "download_from_store"


def _of_import(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, imports.ImportImage)
    yield "copy_image" if op.request.name == COPY_IMAGE else "modify_image"


def _of_stores(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, info.ListStores)
    if op.detail:
        yield "stores_info_detail"


def _of_cache(rule: str) -> Rules:
    def rules(op: Operation[object]) -> Iterator[str]:
        yield "manage_image_cache" if getattr(op, "is_older_call", False) else rule

    return rules


RULES: Mapping[type[Operation[object]], Rules] = {
    images.ListImages: _only("get_images"),
    images.CreateImage: _of_creation,
    images.UpdateImage: _of_changes,
    images.DeactivateImage: _only("deactivate"),
    images.ReactivateImage: _only("reactivate"),
    disks.FlattenImage: _of_flattening,
    disks.ConvertImage: _of_conversion,
    blocks.ListBlocks: _only("download_image"),
    data.UploadData: _only("upload_image"),
    data.DownloadData: _of_download,
    imports.StageData: _only("modify_image"),
    imports.ImportImage: _of_import,
    tasks.ListImageTasks: _only("get_image"),
    locations.GetLocations: _only("fetch_image_location"),
    locations.AddLocation: _only("add_image_location"),
    locations.DeleteFromStore: _only("get_image_location", "delete_image_location"),
    links.AddLink: _only("add_link", "download_image"),
    links.ListLinks: _only("get_links"),
    links.AddUploadLink: _only("add_link", "upload_image"),
    links.CompleteUpload: _only("upload_image"),
    upload_sessions.AddUploadSession: _only("upload_image"),
    upload_sessions.ListUploadSessions: _only("upload_image"),
    upload_sessions.GetUploadSession: _only("upload_image"),
    upload_sessions.ExtendUploadSession: _only("upload_image"),
    upload_sessions.DeleteUploadSession: _only("upload_image"),
    members.ListMembers: _only("get_members"),
    members.UpdateMember: _only("get_member", "modify_member"),
    members.DeleteMember: _only("get_member", "delete_member"),
    info.ListStores: _of_stores,
    info.GetUsage: _only(),
    tasks.ListTasks: _only("tasks_api_access"),
    tasks.GetTask: _only("tasks_api_access"),
    tasks.CreateTask: _only("tasks_api_access"),
    **metadefs.RULES,
    cache.ListCache: _of_cache("cache_list"),
    cache.CacheImage: _of_cache("cache_image"),
    cache.DeleteCachedImage: _of_cache("cache_delete"),
    cache.ClearCache: _of_cache("cache_delete"),
    cache.CleanCache: _only("cache_clean"),
    cache.PruneCache: _only("cache_prune"),
}
"""The rules that must all allow an operation. The default is the rule with its own name; if missing, it refuses."""


class PolicyLayer(Layer):
    """Hands on an operation if all its rules allow it."""

    name = "policy"

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer = enforcer

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(services.enforcer)

    def around(self, context: Context, op: Operation[R]) -> R:
        self.permit(context, op)
        return self.below(context, op)

    def permit(self, context: Context, op: Operation[object]) -> None:
        """Raise Forbidden if a rule does not allow the operation."""
        if own := _TARGETS.get(type(op)):
            target = own(context, op)
        elif isinstance(op, ImageOperation) and op.image is not None:
            target = _image_target(context, op.image)
        elif isinstance(op, NamespaceOperation):
            target = metadefs.namespace_target(op.target)
        else:
            target = {"project_id": context.project_id}
        rules = RULES.get(type(op))
        for rule in rules(op) if rules else (op.name,):
            if not self._enforcer.check(rule, target, context):
                self._refuse(rule, op)

    def list_images(self, context: Context, op: images.ListImages) -> Page:
        """Return a page of images that ``get_image`` allows; request further pages until it is full.

        A page that ends because of its bytes is not filled: its memory is taken. Nor is that of a search, which ends
        after some images that need not be in it.
        """
        page = self.around(context, op)
        if self._enforcer.is_default("get_image"):
            return page
        if op.query.name_part is not None:
            return replace(page, images=tuple(self._allowed(context, page)))
        query, wanted, allowed = op.query, op.query.limit, self._allowed(context, page)
        while len(allowed) < wanted and page.next_marker is not None and not (allowed and _is_cut(page, query)):
            query = replace(op.query, marker=page.next_marker, limit=max(wanted, _REFILL))
            page = self.below(context, replace(op, query=query))
            allowed += self._allowed(context, page)
        is_more, kept = len(allowed) > wanted or page.next_marker is not None, allowed[:wanted]
        return Page(tuple(kept), kept[-1].id if is_more and kept else None)

    def watch_events(self, context: Context, op: WatchEvents) -> Watcher:
        """Let the caller follow the tasks that it may list; with a changed ``get_image``, each image is asked for."""
        sees_tasks = self._enforcer.would_allow("tasks_api_access", {"project_id": context.project_id}, context)
        asks_rules = op.asks_rules or not self._enforcer.is_default("get_image")
        return self.around(context, replace(op, sees_tasks=sees_tasks, asks_rules=asks_rules))

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        """Forget the base if the caller may not download it: the new image would let them read it."""
        if op.base_image is not None and not self._may_download(context, op.base_image):
            op = replace(op, base_image=None)
        return self.around(context, op)

    def rebase_image(self, context: Context, op: disks.RebaseImage) -> Job:
        """Forget the new base if the caller may not download it."""
        if op.base_image is not None and not self._may_download(context, op.base_image):
            op = replace(op, base_image=None)
        return self.around(context, op)

    def coalesce_image(self, context: Context, op: disks.CoalesceImage) -> Job:
        """Refuse what a download refuses of the bases."""
        self._check_bases(context, op, op.chain)
        return self.around(context, op)

    def flatten_image(self, context: Context, op: disks.FlattenImage) -> Job | None:
        """Refuse what a download refuses of the bases."""
        self._check_bases(context, op, op.chain)
        return self.around(context, op)

    def convert_image(self, context: Context, op: disks.ConvertImage) -> Job:
        """Refuse a new image that the caller may not create, and what a download refuses of the bases."""
        if op.new_image is not None:
            self.permit(context, images.CreateImage(base={"owner": op.target.owner}))
        self._check_bases(context, op, op.chain)
        return self.around(context, op)

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        """Refuse an incremental image if the rules hide one of its bases from the caller."""
        self._check_bases(context, op, op.chain)
        return self.around(context, op)

    def list_blocks(self, context: Context, op: blocks.ListBlocks) -> BlockPage | None:
        """Refuse what a download refuses."""
        self._check_bases(context, op, op.chain)
        return self.around(context, op)

    def _check_bases(self, context: Context, op: Operation[object], chain: tuple[Image, ...]) -> None:
        if not all(self._may_download(context, base) for base in chain[1:]):
            self._refuse("download_image", op)

    def _may_download(self, context: Context, image: Image) -> bool:
        target = _image_target(context, image)
        return all(self._enforcer.would_allow(rule, target, context) for rule in ("get_image", "download_image"))

    def list_members(self, context: Context, op: members.ListMembers) -> tuple[Member, ...]:
        found = self.around(context, op)
        target = dict(_image_target(context, op.target))
        return tuple(
            member
            for member in found
            if self._enforcer.would_allow("get_member", target | {"member_id": member.member_id}, context)
        )

    def _allowed(self, context: Context, page: Page) -> list[Image]:
        return [
            image
            for image in page.images
            if self._enforcer.would_allow("get_image", _image_target(context, image), context)
        ]

    def get_metadef_namespaces(self, context: Context, op: GetNamespaces) -> NamespacePage:
        """Return a page of namespaces that ``get_metadef_namespace`` allows; request further pages until it is full."""
        page = self.around(context, op)
        if self._enforcer.is_default("get_metadef_namespace"):
            return page
        wanted, allowed = op.query.limit, self._allowed_namespaces(context, page)
        while len(allowed) < wanted and page.next_marker is not None:
            query = replace(op.query, marker=page.next_marker, limit=max(wanted, _REFILL))
            page = self.below(context, replace(op, query=query))
            allowed += self._allowed_namespaces(context, page)
        is_more, kept = len(allowed) > wanted or page.next_marker is not None, allowed[:wanted]
        return NamespacePage(tuple(kept), kept[-1].namespace.name if is_more and kept else None)

    def list_metadef_associations(self, context: Context, op: ListAssociations) -> tuple[Association, ...]:
        found = self.around(context, op)
        return found if self._may(context, "get_metadef_resource_type", op.target) else ()

    def get_metadef_objects(self, context: Context, op: GetObjects) -> ObjectPage:
        page = self.around(context, op)
        return page if self._may(context, "get_metadef_object", op.target) else ObjectPage(())

    def _allowed_namespaces(self, context: Context, page: NamespacePage) -> list[NamespaceContent]:
        return [each for each in page.namespaces if self._may(context, "get_metadef_namespace", each.namespace)]

    def _may(self, context: Context, rule: str, namespace: Namespace) -> bool:
        return self._enforcer.would_allow(rule, metadefs.namespace_target(namespace), context)

    def hides_namespace(self, context: Context, namespace: Namespace) -> bool:
        return not self._may(context, "get_metadef_namespace", namespace)

    def hides(self, context: Context, image: Image) -> bool:
        return not self._enforcer.would_allow("get_image", _image_target(context, image), context)

    def _refuse(self, rule: str, op: Operation[object]) -> None:
        if isinstance(op, members.GetMember):
            raise NotFound(kind="member", id=op.member_id)
        raise PolicyRefused(rule=rule)


def _is_cut(page: Page, query: ImageQuery) -> bool:
    return query.max_bytes is not None and len(page.images) < query.limit


def _target_of_creation(context: Context, op: Operation[object]) -> Target:
    assert isinstance(op, images.CreateImage)
    owner = op.base.get("owner")
    return {"owner": owner, "project_id": owner, "visibility": op.base.get("visibility", "shared")}


def _target_of_member(context: Context, op: Operation[object]) -> Target:
    assert isinstance(op, members.GetMember | members.UpdateMember)
    return {**_image_target(context, op.target), "member_id": op.member_id}


_TARGETS: Mapping[type[Operation[object]], Callable[[Context, Operation[object]], Target]] = {
    images.CreateImage: _target_of_creation,
    members.GetMember: _target_of_member,
    members.UpdateMember: _target_of_member,
    AddNamespace: metadefs.target_of_creation,
}
"""Operations whose rules have another target than the image or the project."""


def _image_target(context: Context, image: Image) -> Target:
    """Return the target for rules: every attribute of the image except the locations, and the custom properties."""
    is_member = image.visibility == "shared" and image.owner is not None and image.owner != context.project_id
    return {
        **image.properties,
        **dict(zip(PLAIN_FIELDS, plain_values(image), strict=True)),
        "project_id": image.owner,
        "member_id": context.project_id if is_member else "",
        "tags": image.tags,
    }
