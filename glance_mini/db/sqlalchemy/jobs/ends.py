"""The end of jobs. A job that fails releases its import lock and its part of the quota.

Locks are always taken in one order: the image first, then the job, then the usage counts.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy import import_lock, usage
from glance_mini.db.sqlalchemy.jobs import rows
from glance_mini.domain import errors
from glance_mini.domain.job import FAILURE, FINISHED, PENDING, Job
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING
from glance_mini.operations.jobs import CancelJob, FinishJob


def finish(connection: Connection, call: FinishJob, now: datetime) -> Job:
    """End a job for its holder and return it; raises Gone if the holder has lost it.

    The worker normally releases the import lock itself; after a failure in which it could not, this function does.
    """
    has_failed = call.state == FAILURE
    image = import_lock.lock_image_of(connection, _as_it_is(connection, call.job)) if has_failed else None
    held = rows.lock_held(connection, call.job)
    if image is not None:
        import_lock.release_lock(connection, image, now)
    values = {"state": call.state, "result": call.result, "message": call.message}
    return _end(connection, held, now, **values, expires_at=now + call.keep)


def fail(connection: Connection, job: Job, message: str, now: datetime, expires_at: datetime) -> Job:
    """End ``job``, whose row is locked, as failed for an external reason; the caller releases its import lock."""
    values = {"state": FAILURE, "is_cancelled": job.is_cancelled, "message": message, "expires_at": expires_at}
    return _end(connection, job, now, **values)


def cancel(connection: Connection, call: CancelJob, now: datetime) -> Job:
    """Mark a job cancelled and return it; raises Conflict if it has ended, NotFound.

    A job that was never started holds only its import lock and fails at once. A started job that waits for its next
    attempt becomes due, so that a worker ends it and cleans up. A running job is ended by its worker or, if that
    worker is dead, by the worker that claims the job after its lease has expired.
    """
    image = import_lock.lock_image_of(connection, rows.get(connection, call.job_id))
    job = rows.lock(connection, call.job_id)
    if job.state in FINISHED:
        raise errors.Conflict(reason=f"Job {job.id} has ended with {job.state} and cannot be cancelled.")
    if job.state != PENDING:
        return rows.change(connection, job, is_cancelled=True, updated_at=now)
    if job.attempts:
        return rows.change(connection, job, is_cancelled=True, due_at=min(job.due_at or now, now), updated_at=now)
    if image is not None:
        import_lock.release_lock(connection, image, now)
    return fail(connection, replace(job, is_cancelled=True), "The job was cancelled.", now, now + call.keep)


def _as_it_is(connection: Connection, job: Job) -> Job:
    """Return the current ``job``, which may have got an image since its holder took it; raises Gone if removed."""
    try:
        return rows.get(connection, job.id)
    except errors.NotFound as error:
        raise rows.gone(job) from error


def _end(connection: Connection, job: Job, now: datetime, **values: object) -> Job:
    ended, project = rows.end(connection, job, **values, updated_at=now)
    usage.change(connection, usage.Usage({(project, IMAGE_COUNT_UPLOADING): 1}), usage.Usage())
    return ended


WRITES = {FinishJob: finish, CancelJob: cancel}
