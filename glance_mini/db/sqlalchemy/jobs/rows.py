"""Writes and reads rows of jobs, and changes them for their holder.

The row of a job names the process and the attempt that hold it; each change by the holder compares both. ``claims``
gives jobs out, ``ends`` ends them.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime

import orjson
from oslo_db.exception import DBDuplicateEntry
from sqlalchemy import Connection, bindparam, delete, false, insert, select, update

from glance_mini.db.sqlalchemy import event_log
from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.domain import errors
from glance_mini.domain.event_log import event_of_task
from glance_mini.domain.fields import with_fields
from glance_mini.domain.job import FAILURE, FINISHED, PENDING, PROCESSING, Job
from glance_mini.operations.jobs import AddJob, GetJob, PurgeJobs, ReleaseJob, RenewJobs, RetryJob, SaveCheckpoint

FIELDS = tuple(field.name for field in fields(Job))
COLUMNS = tuple(jobs.c[name] for name in FIELDS)

_JSON = ("roles", "service_roles", "input", "checkpoint", "result")
_ROLES = ("roles", "service_roles")

_ID = jobs.c.id == bindparam("job")
_ONE = select(*COLUMNS).where(_ID)
_LOCK = _ONE.with_for_update()
_COUNTED_FOR = select(jobs.c.counted_for).where(_ID)
_INSERT = insert(jobs)
_UPDATE = update(jobs).where(_ID)
_HELD = (jobs.c.process == bindparam("holder"), jobs.c.state == PROCESSING)
_UPDATE_HELD = _UPDATE.where(*_HELD, jobs.c.attempts == bindparam("attempt"))
_UPDATE_GOING_ON = _UPDATE_HELD.where(jobs.c.is_cancelled == false())
_CHOSEN = jobs.c.id.in_(bindparam("ids", expanding=True))
_RENEW = update(jobs).where(_CHOSEN, *_HELD)
_GOING_ON = select(jobs.c.id).where(_CHOSEN, *_HELD, jobs.c.is_cancelled == false())
_EXPIRED = (
    select(jobs.c.id)
    .where(
        jobs.c.expires_at < bindparam("now", type_=jobs.c.expires_at.type),
        jobs.c.state.in_(sorted(FINISHED)),
    )
    .order_by(jobs.c.expires_at)
    .limit(bindparam("rows"))
    .with_for_update(skip_locked=True)
)
_DELETE = delete(jobs).where(_CHOSEN)


def add(connection: Connection, call: AddJob, now: datetime, counted_for: str | None = None) -> Job:
    """Insert a job and return it; raises Duplicate.

    The job is part of ``image_count_uploading`` of the project ``counted_for``; None: of no project.
    """
    job = replace(call.job, created_at=now, updated_at=now, due_at=now + call.delay)
    try:
        connection.execute(_INSERT, row_of(job) | {"counted_for": counted_for})
    except DBDuplicateEntry as error:
        raise errors.Duplicate(kind="Job", id=job.id) from error
    event_log.note(connection, event_of_task("create", job))
    return job


def row_of(job: Job) -> dict[str, object]:
    """Return the row of ``job``, with its times as they are."""
    return _values({name: getattr(job, name) for name in FIELDS}) | {"rank": _rank(job)}


def answer(connection: Connection, call: GetJob) -> Job:
    """Return the job; raises NotFound."""
    return get(connection, call.job_id)


def get(connection: Connection, job_id: str) -> Job:
    """Return the job; raises NotFound."""
    return _found(connection.execute(_ONE, {"job": job_id}).first(), job_id)


def lock(connection: Connection, job_id: str) -> Job:
    """Lock the job against changes until the transaction ends, and return it; raises NotFound."""
    return _found(connection.execute(_LOCK, {"job": job_id}).first(), job_id)


def lock_held(connection: Connection, job: Job) -> Job:
    """Lock and return the current job; raises Gone if the holder that ``job`` names has lost it."""
    try:
        now = lock(connection, job.id)
    except errors.NotFound as error:
        raise gone(job) from error
    if (now.state, now.process, now.attempts) != (PROCESSING, job.process, job.attempts):
        raise gone(job)
    return now


def change(connection: Connection, job: Job, **values: object) -> Job:
    """Write ``values`` to the row of ``job``, which is locked, and return the changed job."""
    changed = with_fields(job, **values)
    connection.execute(_UPDATE, {"job": job.id, "rank": _rank(changed)} | _values(values))
    if changed.state != job.state:
        event_log.note(connection, event_of_task(changed.state, changed))
    return changed


def end(connection: Connection, job: Job, **values: object) -> tuple[Job, str | None]:
    """End ``job``, whose row is locked, with ``values``; return it and the project for which it counted as an upload.

    Its holder and its token are erased.
    """
    counted_for = connection.execute(_COUNTED_FOR, {"job": job.id}).scalar()
    values |= {"process": None, "lease_until": None, "token": None}
    connection.execute(_UPDATE, {"job": job.id, "counted_for": None} | _values(values))
    ended = with_fields(job, **values)
    event_log.note(connection, event_of_task(ended.state, ended))
    return ended, counted_for


def renew(connection: Connection, call: RenewJobs, now: datetime) -> frozenset[str]:
    """Renew the leases of the jobs that the process holds, also of cancelled ones; return those not cancelled."""
    holder = {"ids": list(call.job_ids), "holder": call.process}
    connection.execute(_RENEW, holder | {"lease_until": now + call.lease})
    return frozenset(connection.execute(_GOING_ON, holder).scalars())


def save_checkpoint(connection: Connection, call: SaveCheckpoint, now: datetime) -> Job:
    """Save the progress of a job and return it; raises Gone if it was lost or cancelled."""
    values = {"checkpoint": call.checkpoint, "message": call.message, "updated_at": now}
    if not connection.execute(_UPDATE_GOING_ON, _holder(call.job) | _values(values)).rowcount:
        raise gone(call.job)
    saved = replace(call.job, checkpoint=call.checkpoint, message=call.message, updated_at=now)
    if saved.message != call.job.message:
        event_log.note(connection, event_of_task("progress", saved))
    return saved


def set_image(connection: Connection, job: Job, counted_for: str | None) -> str | None:
    """Write the image that the holder of ``job`` has made for it, and return the previous ``counted_for``.

    ``counted_for`` is as for ``add``. Raises Gone if the job was lost or cancelled.
    """
    before = connection.execute(_COUNTED_FOR, {"job": job.id}).scalar()
    values = {"image_id": job.image_id, "counted_for": counted_for}
    if not connection.execute(_UPDATE_GOING_ON, _holder(job) | values).rowcount:
        raise gone(job)
    return before


def release(connection: Connection, call: ReleaseJob, now: datetime) -> None:
    """Release a job so that it can be claimed after a delay; do nothing if it was lost."""
    values = {
        "state": PENDING,
        "process": None,
        "lease_until": None,
        "due_at": now + call.delay,
        "message": call.message,
        "updated_at": now,
    }
    connection.execute(_UPDATE_HELD, _holder(call.job) | values)


def retry(connection: Connection, call: RetryJob, now: datetime) -> Job:
    """Make a failed job pending, as if it had never begun, and return it; raises Conflict if not failed, NotFound."""
    job = lock(connection, call.job_id)
    if job.state != FAILURE:
        raise errors.Conflict(reason=f"Job {job.id} is {job.state}; only a failed job can be retried.")
    return change(
        connection,
        job,
        state=PENDING,
        due_at=now,
        updated_at=now,
        attempts=0,
        # The data that the checkpoint describes was removed when the job failed.
        checkpoint={},
        result=None,
        message="",
        is_cancelled=False,
        expires_at=None,
    )


def purge(connection: Connection, call: PurgeJobs, now: datetime) -> int:
    """Remove ended jobs that have expired; return the number of removed jobs."""
    ids = connection.execute(_EXPIRED, {"now": now, "rows": call.max_rows}).scalars().all()
    if ids:
        connection.execute(_DELETE, {"ids": ids})
    return len(ids)


def gone(job: Job) -> errors.Gone:
    """Return the error for a holder that has lost ``job`` or must stop because the job was cancelled."""
    return errors.Gone(kind="job", id=job.id)


def to_job(row: RowValues) -> Job:
    """Return the job of a row of ``COLUMNS``."""
    values = dict(zip(FIELDS, row, strict=True))
    for name in _JSON:
        values[name] = None if values[name] is None else orjson.loads(values[name])
    for name in _ROLES:
        values[name] = tuple(values[name] or ())
    values["stores"] = to_stores(values["stores"])
    return Job(**values)


def to_stores(text: str | None) -> tuple[str, ...]:
    """Return the ids in the column ``stores``, each with a comma before and after it; None means no ids."""
    return tuple(text.strip(",").split(",")) if text else ()


def _found(row: RowValues | None, job_id: str) -> Job:
    if row is None:
        raise errors.NotFound(kind="job", id=job_id)
    return to_job(row)


def _rank(job: Job) -> int:
    """Return the rank of ``job``. Cancelled jobs come first, because they are short and keep an image locked."""
    return -(2**31) if job.is_cancelled else -job.priority


def _holder(job: Job) -> dict[str, object]:
    return {"job": job.id, "holder": job.process, "attempt": job.attempts}


def _values(values: Mapping[str, object]) -> dict[str, object]:
    row = {name: _to_json(value) if name in _JSON else value for name, value in values.items()}
    if isinstance(stores := row.get("stores"), tuple):
        row["stores"] = f",{','.join(stores)}," if stores else None
    return row


def _to_json(value: object) -> str | None:
    return None if value is None else orjson.dumps(dict(value) if isinstance(value, Mapping) else value).decode()


QUERIES = {GetJob: answer}
WRITES = {
    AddJob: add,
    RenewJobs: renew,
    SaveCheckpoint: save_checkpoint,
    ReleaseJob: release,
    RetryJob: retry,
    PurgeJobs: purge,
}
