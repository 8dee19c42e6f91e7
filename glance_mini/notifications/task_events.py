"""Tells of the beginning and the end of jobs that the API shows as tasks, whoever begins or ends them (reference 21).

Every process that changes jobs has one of these beside its job access: a worker, the API, a command. The creation of a
task is told by the request that creates it.
"""

from collections.abc import Iterable, Sequence

from glance_mini.db.job_interface import JobWatcher
from glance_mini.db.outbox_interface import OutboxEvent
from glance_mini.domain.job import FINISHED, PROCESSING, TASK_KINDS, Job
from glance_mini.notifications.outbox import OutboxPublisher
from glance_mini.notifications.payloads import task_payload
from glance_mini.notifications.publisher import Event, Publisher


class TaskEvents(JobWatcher):
    """Stores its events with the change they tell of, or publishes them after it, as ``publisher`` wants it."""

    def __init__(self, publisher: Publisher | OutboxPublisher) -> None:
        self._publisher = publisher

    def stored(self, changed: Iterable[Job]) -> Sequence[OutboxEvent]:
        if isinstance(self._publisher, OutboxPublisher):
            return self._publisher.rows(event for job in changed for event in _events(job))
        return ()

    def committed(self, changed: Iterable[Job]) -> None:
        if isinstance(self._publisher, Publisher):
            for job in changed:
                for event in _events(job):
                    self._publisher.publish(event)


def _events(job: Job) -> Iterable[Event]:
    if job.kind not in TASK_KINDS:
        return
    if job.state == PROCESSING and job.attempts == 1:
        yield _event("task.run", job)
        yield _event("task.processing", job)
    elif job.state in FINISHED:
        yield _event(f"task.{job.state}", job)


def _event(kind: str, job: Job) -> Event:
    caller = {
        "request_id": job.request_id,
        "user_id": job.user_id,
        "project_id": job.project_id,
        "roles": list(job.roles),
    }
    return Event(kind, task_payload(job), "info", caller, job.image_id)
