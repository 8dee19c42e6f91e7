"""Enforces the limits of the service, the project and the image (api-quotas).

The database enforces the limits of what it counts: this layer only adds the limits to the data calls. The layer itself
bounds streams of data, block by block.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Self, TypeVar
from uuid import uuid4

from oslo_config import cfg

from glance_mini.domain import quota
from glance_mini.domain.context import Context
from glance_mini.domain.errors import LimitExceeded, NotFound
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image, is_internal
from glance_mini.domain.job import Job
from glance_mini.domain.links import Link
from glance_mini.domain.member import Member
from glance_mini.domain.metadefs import NO_METADEF_LIMITS, MetadefLimits
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.upload_session import NO_SESSION_LIMITS, SessionLimits, UploadSession
from glance_mini.layers.base import Layer
from glance_mini.layers.quota.limits import MIB, LimitSource, ProjectLimits, limit_source, metadef_limits
from glance_mini.layers.quota.reservations import Incoming, Reservations
from glance_mini.layers.services import Services
from glance_mini.metrics import Metrics
from glance_mini.operations import data, images, imports, info, links, members
from glance_mini.operations.base import ImageOperation, Operation
from glance_mini.operations.bases import ReplaceData
from glance_mini.operations.records import CountUsage, ListProjects, LoadImage, RecordImport
from glance_mini.operations.upload_sessions import AddUploadSession
from glance_mini_store.lanes import Chunk

R = TypeVar("R")


NO_PROJECT = ProjectLimits()
"""The limits of an image without an owner."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits that are the same for every image; None means no limit. ``size`` is in bytes."""

    properties: int | None = None
    tags: int | None = None
    members: int | None = None
    locations: int | None = None
    size: int = 1024**4


class QuotaLayer(Layer):
    """Adds the limits to writes and bounds uploads."""

    name = "quota"
    answers = frozenset({"get_usage", "list_usage"})

    def __init__(
        self,
        source: LimitSource,
        per_image: ImageLimits,
        metrics: Metrics,
        step: int = 64 * MIB,
        sleep: Callable[[float], None] = time.sleep,
        metadefs: MetadefLimits = NO_METADEF_LIMITS,
        links: int | None = None,
        sessions: SessionLimits = NO_SESSION_LIMITS,
    ) -> None:
        """Store the arguments; ``links``: the valid links of one project, None means any number."""
        self._source = source
        self._per_image = per_image
        self._bounds = {"bounds": metadefs}
        self._links = links
        self._sessions = sessions
        self._metrics = metrics
        self._reservations = Reservations(self.below, step, sleep)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        per_image = ImageLimits(
            properties=_limit(conf.image_property_quota),
            tags=_limit(conf.image_tag_quota),
            members=_limit(conf.image_member_quota),
            locations=_limit(conf.image_location_quota),
            size=conf.image_size_cap,
        )
        step = conf.transfers.reserve_step_mib * MIB
        return cls(
            limit_source(conf, services.data),
            per_image,
            services.metrics,
            step,
            metadefs=metadef_limits(conf),
            links=_limit(conf.direct_access.links_per_project),
            sessions=SessionLimits(_limit(conf.uploads.sessions_per_image), _limit(conf.uploads.sessions_per_project)),
        )

    def create_image(self, context: Context, op: images.CreateImage) -> Image:
        limits = self._limits(op.base.get("owner"))
        tags = op.base.get("tags", ())
        custom = sum(1 for name in op.properties if not is_internal(name))
        self._require("image_property_quota", limits.properties, custom)
        self._require("image_tag_quota", limits.tags, len(tags) if isinstance(tags, tuple | list) else 0)
        return self._below_counting(context, replace(op, limits=limits))

    def surrounds(self, operation: type[Operation[object]]) -> bool:
        names = {field.name for field in fields(operation)}
        return "bounds" in names or (issubclass(operation, ImageOperation) and "limits" in names)

    def around(self, context: Context, op: Operation[R]) -> R:
        """Add the limits of the image's owner, or those of metadata definitions, to an operation that has a place."""
        limits = {"limits": self._limits_of(op)} if isinstance(op, ImageOperation) else self._bounds
        return self._below_counting(context, with_fields(op, **limits))

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        return self._below_counting(context, replace(op, limit=self._per_image.members))

    def add_link(self, context: Context, op: links.AddLink) -> Link:
        return self._below_counting(context, replace(op, limit=self._links))

    def add_upload_link(self, context: Context, op: links.AddUploadLink) -> links.UploadAddress:
        self._require("image_size_cap", self._per_image.size, op.size)
        return self._below_counting(context, replace(op, limits=self._limits_of(op), limit=self._links))

    def add_upload_session(self, context: Context, op: AddUploadSession) -> UploadSession:
        self._require("image_size_cap", self._per_image.size, op.size)
        return self._below_counting(context, replace(op, limits=self._limits_of(op), session_limits=self._sessions))

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        return self._take_data(context, op, quota.IMAGE_SIZE_TOTAL)

    def stage_data(self, context: Context, op: imports.StageData) -> Image:
        return self._take_data(context, op, quota.IMAGE_STAGE_TOTAL)

    def import_image(self, context: Context, op: imports.ImportImage) -> Job | None:
        """Refuse at once if there is no room at all; the stored data is counted when it is recorded."""
        owner = op.target.owner
        limits = self._limits_of(op)
        limit = limits.project.get(quota.IMAGE_SIZE_TOTAL)
        if owner is not None and limit is not None:
            used = self.below(context, CountUsage(owner))
            pool = (quota.IMAGE_SIZE_TOTAL, *limits.together.get(quota.IMAGE_SIZE_TOTAL, ()))
            # Data that is staged for this image counts once, whether it is stored already or not.
            own = (op.target.size or 0) if op.target.status == "uploading" and quota.IMAGE_STAGE_TOTAL in pool else 0
            self._require(quota.IMAGE_SIZE_TOTAL, limit, sum(used.get(each, 0) for each in pool) - own + 1)
        return self._below_counting(context, replace(op, limits=limits))

    def record_import(self, context: Context, op: RecordImport) -> Image:
        """Count the data of an import for the owner of the image, regardless of who began it."""
        return self._below_counting(context, replace(op, limits=self._limits_of_job(context, op.job)))

    def replace_data(self, context: Context, op: ReplaceData) -> Image:
        """Count what is stored now in place of what was stored before."""
        return self._below_counting(context, replace(op, limits=self._limits_of_job(context, op.job)))

    def _limits_of_job(self, context: Context, job: Job) -> Limits:
        """Return the limits of the owner of the image of a job."""
        try:
            return self._limits(self.below(context, LoadImage(str(job.image_id))).owner)
        except NotFound:
            return self._limits(None)

    def _take_data(self, context: Context, op: Incoming, resource: str) -> Image:
        """Hand on data, bounded by the maximum size of an image and by the room for ``resource``."""
        cap = self._per_image.size
        self._require("image_size_cap", cap, op.size or 0)
        op = replace(op, limits=self._limits_of(op), transfer_id=op.transfer_id or str(uuid4()))
        chunks = _capped(op.chunks, cap)
        if op.size is None and resource in op.limits.project:
            chunks = self._reservations.reserving(context, op, chunks, resource)
        return self._below_counting(context, replace(op, chunks=chunks))

    def get_usage(self, context: Context, op: info.GetUsage) -> dict[str, tuple[int, int]]:
        return {} if context.project_id is None else self._usage_of(context, context.project_id)

    def list_usage(self, context: Context, op: info.ListUsage) -> tuple[tuple[str, info.UsageOfProject], ...]:
        projects = self.below(context, ListProjects(op.limit, after=op.marker))
        return tuple((project, self._usage_of(context, project)) for project in projects)

    def _usage_of(self, context: Context, project: str) -> info.UsageOfProject:
        used = self.below(context, CountUsage(project))
        limits = self._source.limits_of(project).limits
        return {resource: (used.get(resource, 0), limits.get(resource, -1)) for resource in quota.COUNTED}

    def _limits_of(self, op: ImageOperation[object]) -> Limits:
        """Return the limits of the owner of the image; what a layer above requires of the image stays."""
        given = getattr(op, "limits", NO_LIMITS)
        return replace(self._limits(op.target.owner), required=given.required)

    def _limits(self, owner: object) -> Limits:
        project = self._source.limits_of(owner) if isinstance(owner, str) else NO_PROJECT
        return Limits(
            project=project.limits,
            together=project.together,
            properties=self._per_image.properties,
            tags=self._per_image.tags,
            locations=self._per_image.locations,
        )

    def _require(self, resource: str, limit: int | None, wanted: int) -> None:
        if limit is not None and wanted > limit:
            self._metrics.quota_refusals.labels(resource).inc()
            raise LimitExceeded(resource=resource, limit=limit, wanted=wanted)

    def _below_counting(self, context: Context, op: Operation[R]) -> R:
        try:
            return self.below(context, op)
        except LimitExceeded as error:
            self._metrics.quota_refusals.labels(str(error.values.get("resource"))).inc()
            raise


def _capped(chunks: Iterable[Chunk], cap: int) -> Iterator[Chunk]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > cap:
            raise LimitExceeded(resource="image_size_cap", limit=cap, wanted=total)
        yield chunk


def _limit(option: int) -> int | None:
    return None if option < 0 else option
