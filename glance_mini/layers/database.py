"""The innermost layer: gives data calls to the data access layer, and answers record operations with data calls."""

from datetime import timedelta
from typing import Self, TypeVar, cast

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Forbidden, NotFound, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import SCRUB, TASK_KINDS, Job, JobPage, JobQuery, new_job
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.layers.base import Handler, Layer
from glance_mini.layers.services import Services
from glance_mini.operations import DATA_CALLS, images, locations, tasks
from glance_mini.operations.base import DataCall, Operation
from glance_mini.operations.event_log import Watcher, WatchEvents
from glance_mini.operations.jobs import AddJob, CancelJob, GetJob, RetryJob
from glance_mini.operations.records import DeleteFromTrash, MarkDeleted, MoveToTrash, SetStatus

R = TypeVar("R")

_WITH_DATA = ("active", "deactivated")

SCRUB_PRIORITY = -10
"""Low, because no user waits for a permanent deletion."""


class DatabaseLayer(Layer):
    """Answers all operations on records; one operation is one transaction."""

    name = "database"
    answers = frozenset(
        {locations.GetLocations.name, WatchEvents.name}.union(
            operation.name for operation in (*images.OPERATIONS, *tasks.OPERATIONS, *DATA_CALLS)
        )
    )

    def __init__(
        self,
        data: DataAccess,
        scrub_after: timedelta | None = None,
        scrub_priority: int = SCRUB_PRIORITY,
        keep_jobs: timedelta = timedelta(hours=48),
    ) -> None:
        """Store the arguments; ``scrub_after`` is how long a deleted image can be restored, None if it cannot.

        ``keep_jobs`` is how long the record of a cancelled job stays.
        """
        self._data = data
        self._scrub_after = scrub_after
        self._scrub_priority = scrub_priority
        self._keep_jobs = keep_jobs

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        scrub_after = timedelta(seconds=conf.scrub_time) if conf.delayed_delete else None
        priority = int(conf.workers.priorities.get(SCRUB, SCRUB_PRIORITY))
        return cls(services.data, scrub_after, priority, timedelta(hours=conf.task.task_time_to_live))

    def handler(self, operation: type[Operation[object]]) -> Handler | None:
        own = super().handler(operation)
        # The stack sends a handler no other operation than the one that it was asked for.
        return cast(Handler, self._run) if own is None and issubclass(operation, DataCall) else own

    def get_image(self, context: Context, op: images.GetImage) -> Image:
        assert op.image is not None
        return op.image

    def watch_events(self, context: Context, op: WatchEvents) -> Watcher:
        return Watcher(op.scope, op.sees_tasks, op.asks_rules)

    def get_locations(self, context: Context, op: locations.GetLocations) -> tuple[Location, ...]:
        if op.target.base is not None:
            raise Conflict(reason=f"Image {op.image_id} is based on another image: no location holds all of its data.")
        return op.target.locations

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        return self._run(context, op) if op.changes else op.target

    def delete_image(self, context: Context, op: images.DeleteImage) -> Image:
        if self._scrub_after is None or op.target.status not in _WITH_DATA:
            return self._run(context, MarkDeleted(op.image_id, op.target))
        job = new_job(context, SCRUB, {}, image_id=op.image_id, priority=self._scrub_priority)
        return self._run(context, MoveToTrash(op.image_id, self._scrub_after, job))

    def purge_image(self, context: Context, op: images.PurgeImage) -> Image:
        if op.target.status != PENDING_DELETE:
            raise StatusConflict(id=op.image_id, status=op.target.status, wanted=PENDING_DELETE)
        return self._run(context, DeleteFromTrash(op.image_id))

    def deactivate_image(self, context: Context, op: images.DeactivateImage) -> Image:
        return self._switch(context, op.target, "active", "deactivated", spares_bases=not op.force)

    def reactivate_image(self, context: Context, op: images.ReactivateImage) -> Image:
        return self._switch(context, op.target, "deactivated", "active")

    def list_image_tasks(self, context: Context, op: tasks.ListImageTasks) -> JobPage:
        query = JobQuery(image_id=op.image_id, sort_dir="asc", marker=op.marker, limit=op.limit)
        return self._run(context, tasks.ListTasks(query))

    def get_task(self, context: Context, op: tasks.GetTask) -> Job:
        job = self._run(context, GetJob(op.task_id))
        if job.kind not in TASK_KINDS:
            raise NotFound(kind="task", id=op.task_id)
        return job

    def cancel_task(self, context: Context, op: tasks.CancelTask) -> Job:
        self.get_task(context, tasks.GetTask(op.task_id))
        return self._run(context, CancelJob(op.task_id, self._keep_jobs))

    def retry_task(self, context: Context, op: tasks.RetryTask) -> Job:
        self.get_task(context, tasks.GetTask(op.task_id))
        return self._run(context, RetryJob(op.task_id))

    def create_task(self, context: Context, op: tasks.CreateTask) -> Job:
        job = new_job(context, op.type, op.input, stores=op.stores, priority=op.priority, token=op.token)
        return self._run(context, AddJob(job))

    def _switch(self, context: Context, image: Image, old: str, new: str, *, spares_bases: bool = False) -> Image:
        """Move the image between active and deactivated and return it; raises Forbidden in any other status."""
        if image.status == new:
            return image
        if image.status != old:
            raise Forbidden(reason=f"Image {image.id} is {image.status}; this needs status {old}.")
        return self._run(context, SetStatus(image.id, new, frozenset({old}), spares_bases))

    def _run(self, context: Context, call: DataCall[R]) -> R:
        return self._data.run(call, cause=context.cause)
