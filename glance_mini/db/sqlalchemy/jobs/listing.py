"""A page of jobs, sorted by one key and then by id (api-tasks).

One statement finds the ids and the sizes of the jobs, another reads those that the page has room for: a job may hold
a request of 1 MiB.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select

from glance_mini.db.sqlalchemy.dynamic import AnyColumn
from glance_mini.db.sqlalchemy.jobs.rows import COLUMNS, to_job
from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.db.sqlalchemy.paging import number_within
from glance_mini.db.sqlalchemy.sql import byte_length
from glance_mini.domain import errors
from glance_mini.domain.job import PENDING, PROCESSING, JobPage, JobQuery
from glance_mini.operations.jobs import MeasureQueue
from glance_mini.operations.tasks import ListTasks

_TEXTS = (jobs.c.input, jobs.c.checkpoint, jobs.c.result, jobs.c.message)
_BYTES = sum((func.coalesce(byte_length(text), 0) for text in _TEXTS), literal(0)).label("bytes")

_NEVER = literal(datetime(9999, 12, 31), jobs.c.expires_at.type)

_KEYS: dict[str, AnyColumn] = {name: jobs.c[name] for name in ("id", "created_at", "updated_at", "state", "kind")} | {
    # A job that has not ended expires last.
    "expires_at": func.coalesce(jobs.c.expires_at, _NEVER)
}


def list_jobs(connection: Connection, call: ListTasks) -> JobPage:
    """Return a page of jobs; empty ``kinds`` mean every kind.

    Raises Invalid if the marker is not a job, or if the sort key or direction does not exist.
    """
    query = call.query
    if query.sort_key not in _KEYS or query.sort_dir not in ("asc", "desc"):
        raise errors.Invalid(reason=f"Jobs cannot be sorted by {query.sort_key} {query.sort_dir}.")
    statement = select(jobs.c.id, _BYTES).where(*_filters(query))
    order = [_KEYS[query.sort_key], jobs.c.id]
    if query.marker is not None:
        statement = statement.where(_after(connection, query, order))
    directed = [key.asc() if query.sort_dir == "asc" else key.desc() for key in order]
    found = connection.execute(statement.order_by(*directed).limit(query.limit)).all()
    if not found:
        return JobPage(())
    ids = [row.id for row in found[: number_within((row.bytes for row in found), query.max_bytes)]]
    rows = connection.execute(select(*COLUMNS).where(jobs.c.id.in_(ids)).order_by(*directed))
    has_more = len(ids) < len(found) or len(found) == query.limit
    return JobPage(tuple(map(to_job, rows)), ids[-1] if has_more else None)


def _filters(query: JobQuery) -> list[ColumnElement[bool]]:
    found = [
        jobs.c[name] == getattr(query, name)
        for name in ("state", "image_id", "project_id")
        if getattr(query, name) is not None
    ]
    return [*found, jobs.c.kind.in_(query.kinds)] if query.kinds else found


def _after(connection: Connection, query: JobQuery, order: list[AnyColumn]) -> ColumnElement[bool]:
    found = connection.execute(select(*order).where(jobs.c.id == query.marker)).first()
    if found is None:
        raise errors.Invalid(reason=f"The marker {query.marker} is not a job.")
    key, value = order[0], literal(found[0], order[0].type)
    if query.sort_dir == "asc":
        return or_(key > value, and_(key == value, jobs.c.id > found[1]))
    return or_(key < value, and_(key == value, jobs.c.id < found[1]))


def measure_queue(connection: Connection, call: MeasureQueue, now: datetime) -> dict[str, int]:
    """Return the figures of the queue at ``now``."""
    is_running = and_(jobs.c.state == PROCESSING, jobs.c.lease_until > now)
    running = select(func.count()).where(is_running).scalar_subquery()
    is_waiting = and_(jobs.c.state == PENDING, jobs.c.due_at <= now)
    waiting = select(func.count(), func.min(jobs.c.due_at), running).where(is_waiting)
    count, oldest, at_work = connection.execute(waiting).one()
    seconds = round((now - oldest).total_seconds()) if oldest else 0
    return {"running": at_work, "waiting": count, "waiting_seconds": seconds}


QUERIES = {ListTasks: list_jobs}
TIMED_QUERIES = {MeasureQueue: measure_queue}
