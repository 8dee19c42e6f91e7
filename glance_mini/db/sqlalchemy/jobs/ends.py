"""How jobs end. A job that fails gives back what it still holds: its import lock, and its part of the quota.

Locks are taken in one order everywhere: the image first, then the job, then the counts.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy import import_lock, usage
from glance_mini.db.sqlalchemy.jobs import rows
from glance_mini.domain import errors
from glance_mini.domain.job import FAILURE, FINISHED, PENDING, Job
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING


def finish(
    connection: Connection,
    job: Job,
    state: str,
    result: Mapping[str, object] | None,
    message: str,
    now: datetime,
    expires_at: datetime,
) -> Job:
    """End ``job`` for its holder and return it; Gone where it was lost.

    The worker has given the import lock back itself; a failure in which it could not is put right here.
    """
    image = import_lock.lock_image_of(connection, _as_it_is(connection, job)) if state == FAILURE else None
    held = rows.lock_held(connection, job)
    if image is not None:
        import_lock.let_go(connection, image, now)
    return _end(connection, held, now, state=state, result=result, message=message, expires_at=expires_at)


def fail(connection: Connection, job: Job, message: str, now: datetime, expires_at: datetime) -> Job:
    """End ``job``, whose row is locked, for a reason that lies outside it; its import lock is the caller's business."""
    values = {"state": FAILURE, "is_cancelled": job.is_cancelled, "message": message, "expires_at": expires_at}
    return _end(connection, job, now, **values)


def cancel(connection: Connection, job_id: str, now: datetime, expires_at: datetime) -> Job:
    """Mark a job cancelled and return it; Conflict where it has ended, NotFound.

    A job that was never begun has left nothing behind but its import lock, and fails at once. One that was begun and
    waits for its next attempt becomes due, so that a worker gives it up and clears away what it left; one that runs is
    ended by its worker, or, when the lease of a dead one has ended, by the worker that is given it then.
    """
    image = import_lock.lock_image_of(connection, rows.get(connection, job_id))
    job = rows.lock(connection, job_id)
    if job.state in FINISHED:
        raise errors.Conflict(reason=f"Job {job_id} has ended with {job.state} and cannot be cancelled.")
    if job.state != PENDING:
        return rows.change(connection, job, is_cancelled=True, updated_at=now)
    if job.attempts:
        return rows.change(connection, job, is_cancelled=True, due_at=min(job.due_at, now), updated_at=now)
    if image is not None:
        import_lock.let_go(connection, image, now)
    return fail(connection, replace(job, is_cancelled=True), "The job was cancelled.", now, expires_at)


def _as_it_is(connection: Connection, job: Job) -> Job:
    """Return ``job`` with the image that it may have got since its holder took it; Gone where it was removed."""
    try:
        return rows.get(connection, job.id)
    except errors.NotFound as error:
        raise rows.gone(job) from error


def _end(connection: Connection, job: Job, now: datetime, **values: Any) -> Job:
    ended, project = rows.end(connection, job, **values, updated_at=now)
    usage.change(connection, usage.Usage({(project, IMAGE_COUNT_UPLOADING): 1}), usage.Usage())
    return ended
