"""The innermost layer: turns operations into data-access calls and gives domain values back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, cast
from uuid import uuid4

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.db.job_interface import JobAccess
from glance_mini.domain.clock import utcnow
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, NotFound, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import SCRUB, TASK_KINDS, Job, JobQuery, new_job
from glance_mini.domain.member import Member
from glance_mini.domain.query import Page
from glance_mini.domain.staging import StagedData
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.domain.transfer import Deletion
from glance_mini.layers.base import Layer, Services
from glance_mini.operations import data as data_ops
from glance_mini.operations import images, imports, info, members, tasks
from glance_mini.operations.base import ImageOperation, Operation

_ALL_TASKS = 1000
"""How many tasks of one image are shown at most."""

_WITH_DATA = ("active", "deactivated")

SCRUB_PRIORITY = -10
"""Nobody waits for what is deleted for good."""


class DatabaseLayer(Layer):
    """Answers everything that is about records; one operation is one transaction."""

    name = "database"
    answers = (
        frozenset(operation.name for module in (images, members, tasks) for operation in module.OPERATIONS)
        | frozenset(
            operation.name
            for module in (data_ops, imports)
            for operation in module.OPERATIONS
            if operation.internal
        )
        | {"count_usage", "list_image_tasks", "get_locations"}
    )

    def __init__(
        self,
        data: DataAccess,
        jobs: JobAccess,
        clock: Callable[[], datetime] = utcnow,
        scrub_after: timedelta | None = None,
        scrub_priority: int = SCRUB_PRIORITY,
    ) -> None:
        """``scrub_after``: how long a deleted image can be restored, None where it cannot."""
        self._data = data
        self._jobs = jobs
        self._clock = clock
        self._scrub_after = scrub_after
        self._scrub_priority = scrub_priority

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        scrub_after = timedelta(seconds=conf.scrub_time) if conf.delayed_delete else None
        priority = int(conf.workers.priorities.get(SCRUB, SCRUB_PRIORITY))
        return cls(services.data, services.jobs, scrub_after=scrub_after, scrub_priority=priority)

    def load_image(self, context: Context, op: images.LoadImage) -> Image:
        try:
            return self._data.get_image(op.image_id, op.scope)
        except NotFound:
            if not op.of_deleted:
                raise
        return self._data.get_pending(op.image_id, op.scope)

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
        return self._telling(context, op).create_image(image, op.limits)

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        if not op.changes:
            return op.target
        return self._telling(context, op).update_image(op.image_id, op.changes, self._clock(), op.limits)

    def delete_image(self, context: Context, op: images.DeleteImage) -> Image:
        data, now = self._telling(context, op), self._clock()
        if self._scrub_after is None or op.target.status not in _WITH_DATA:
            return data.delete_image(op.image_id, now)
        due_at = now + self._scrub_after
        job = new_job(context, SCRUB, {}, now, due_at, image_id=op.image_id, priority=self._scrub_priority)
        return data.mark_pending_delete(op.image_id, now, job)

    def restore_image(self, context: Context, op: images.RestoreImage) -> Image:
        if op.target.status != PENDING_DELETE:
            raise StatusConflict(id=op.image_id, status=op.target.status, wanted=PENDING_DELETE)
        return self._telling(context, op).restore_pending(op.image_id, self._clock(), op.limits)

    def deactivate_image(self, context: Context, op: images.DeactivateImage) -> Image:
        return self._switch(context, op, "active", "deactivated")

    def reactivate_image(self, context: Context, op: images.ReactivateImage) -> Image:
        return self._switch(context, op, "deactivated", "active")

    def set_status(self, context: Context, op: images.SetStatus) -> Image:
        return self._data.set_status(op.image_id, op.status, op.expect, self._clock())

    def begin_transfer(self, context: Context, op: data_ops.BeginTransfer) -> Image:
        return self._telling(context, op).begin_transfer(op.transfer, self._clock(), op.limits)

    def reserve_space(self, context: Context, op: data_ops.ReserveSpace) -> None:
        self._data.reserve_space(op.transfer_id, op.amount, op.limits)

    def is_youngest_transfer(self, context: Context, op: data_ops.IsYoungestTransfer) -> bool:
        return self._data.is_youngest_transfer(op.transfer_id)

    def record_data(self, context: Context, op: data_ops.RecordData) -> Image:
        return self._telling(context, op).record_data(op.transfer, op.data, self._clock())

    def abort_transfer(self, context: Context, op: data_ops.AbortTransfer) -> None:
        self._data.abort_transfer(op.transfer, self._clock())

    def list_deletions(self, context: Context, op: data_ops.ListDeletions) -> Sequence[Deletion]:
        return self._data.list_deletions(op.image_id)

    def finish_deletion(self, context: Context, op: data_ops.FinishDeletion) -> None:
        self._data.finish_deletion(op.deletion_id)

    def undo_deletion(self, context: Context, op: data_ops.UndoDeletion) -> Image:
        return self._telling(context, op).undo_deletion(op.image, self._clock())

    def list_members(self, context: Context, op: members.ListMembers) -> Sequence[Member]:
        return self._data.list_members(op.image_id, op.member_id)

    def get_member(self, context: Context, op: members.GetMember) -> Member:
        return self._data.get_member(op.image_id, op.member_id)

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        return self._telling(context, op).add_member(op.image_id, op.member_id, self._clock(), op.limit)

    def update_member(self, context: Context, op: members.UpdateMember) -> Member:
        return self._telling(context, op).update_member(op.image_id, op.member_id, op.status, self._clock())

    def delete_member(self, context: Context, op: members.DeleteMember) -> Member:
        return self._telling(context, op).delete_member(op.image_id, op.member_id, self._clock())

    def count_usage(self, context: Context, op: info.CountUsage) -> dict[str, int]:
        return self._data.get_usage(op.project_id)

    def begin_staging(self, context: Context, op: imports.BeginStaging) -> Image:
        return self._jobs.begin_staging(op.transfer, self._clock(), op.limits)

    def record_staged(self, context: Context, op: imports.RecordStaged) -> Image:
        return self._telling_jobs(context, op).record_staged(op.transfer, op.staged, self._clock())

    def get_staged(self, context: Context, op: imports.GetStaged) -> StagedData | None:
        return self._jobs.get_staged(op.image_id)

    def forget_staged(self, context: Context, op: imports.ForgetStaged) -> None:
        self._jobs.forget_staged(op.image_id)

    def begin_import(self, context: Context, op: imports.BeginImport) -> Image:
        jobs, now = self._telling_jobs(context, op), self._clock()
        return jobs.begin_import(op.job, op.expect, op.status, op.properties, now, op.limits)

    def record_import(self, context: Context, op: imports.RecordImport) -> Image:
        jobs, now = self._telling_jobs(context, op), self._clock()
        return jobs.record_import(op.job, op.data, op.properties, op.status, now, op.limits)

    def end_import(self, context: Context, op: imports.EndImport) -> Image:
        return self._telling_jobs(context, op).end_import(op.job, op.properties, op.status, op.drop_urls, self._clock())

    def get_locations(self, context: Context, op: imports.GetLocations) -> tuple[Location, ...]:
        return op.target.locations

    def list_image_tasks(self, context: Context, op: imports.ListImageTasks) -> tuple[Job, ...]:
        return tuple(self._jobs.list_jobs(JobQuery(image_id=op.image_id, limit=_ALL_TASKS)))

    def list_tasks(self, context: Context, op: tasks.ListTasks) -> tuple[Job, ...]:
        return tuple(self._jobs.list_jobs(op.query))

    def get_task(self, context: Context, op: tasks.GetTask) -> Job:
        job = self._jobs.get_job(op.task_id)
        if job.kind not in TASK_KINDS:
            raise NotFound(kind="task", id=op.task_id)
        return job

    def create_task(self, context: Context, op: tasks.CreateTask) -> Job:
        more: dict[str, Any] = {"stores": op.stores, "priority": op.priority, "token": op.token}
        return self._telling_jobs(context, op).add_job(new_job(context, op.type, op.input, self._clock(), **more))

    def _switch(self, context: Context, op: ImageOperation, old: str, new: str) -> Image:
        """Move between active and deactivated; any other status answers 403 (reference 7)."""
        image = op.target
        if image.status == new:
            return image
        if image.status != old:
            raise Forbidden(reason=f"Image {image.id} is {image.status}; this needs status {old}.")
        return self._telling(context, op).set_status(image.id, new, frozenset({old}), self._clock())

    def _telling(self, context: Context, op: Operation) -> DataAccess:
        """Return the data access that stores the events which tell of ``op`` with what it writes."""
        return self._data if context.tell is None else self._data.with_events(partial(context.tell, op))

    def _telling_jobs(self, context: Context, op: Operation) -> JobAccess:
        return self._jobs if context.tell is None else self._jobs.with_events(partial(context.tell, op))
