"""Gives jobs out, each to one worker: by priority, then fairly between projects, within limits (DESIGN, jobs are rows).

Claims take turns. Only so do limits hold and is the share fair: two claims at once would each count without the other,
whichever rows they lock. A turn lasts a few statements, and a worker that finds nothing due waits for none.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from glance_mini.db.sqlalchemy import turns
from glance_mini.db.sqlalchemy.jobs import COLUMNS, to_job
from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.domain.job import PENDING, PROCESSING, Job, JobLimits

_NOW: Any = bindparam("now", type_=jobs.c.due_at.type)
_IS_RUNNING = and_(jobs.c.state == PROCESSING, jobs.c.lease_until >= _NOW)
_IS_FREE = and_(
    or_(jobs.c.state == PENDING, jobs.c.lease_until < _NOW), jobs.c.kind.in_(bindparam("kinds", expanding=True))
)
_HAS_BEEN_DUE = (
    # One index leads to the waiting and to the running, whose time has come before: no job that has ended is looked at.
    jobs.c.state.in_((PENDING, PROCESSING)),
    jobs.c.due_at <= _NOW,
)

_ANY = select(jobs.c.id).where(*_HAS_BEEN_DUE, _IS_FREE).limit(1)

_KEYS = (jobs.c.is_cancelled, jobs.c.priority, jobs.c.project_id, jobs.c.store)
_RUNNING = case((_IS_RUNNING, 1), else_=0).label("running")
_GROUPS = (
    select(*_KEYS, func.min(jobs.c.due_at), _RUNNING, func.count())
    .where(*_HAS_BEEN_DUE, or_(_IS_RUNNING, _IS_FREE))
    .group_by(*_KEYS, _RUNNING)
)
_FIRST = (
    select(*COLUMNS)
    .where(
        *_HAS_BEEN_DUE,
        _IS_FREE,
        jobs.c.due_at == bindparam("due", type_=jobs.c.due_at.type),
        *(key.is_not_distinct_from(bindparam(key.name, type_=key.type)) for key in _KEYS),
    )
    .order_by(jobs.c.id)
    .limit(1)
)
_TAKE = update(jobs).where(
    jobs.c.id == bindparam("job"),
    jobs.c.attempts == bindparam("attempt"),
    or_(jobs.c.state == PENDING, and_(jobs.c.state == PROCESSING, jobs.c.lease_until < _NOW)),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that may be given out and are alike in all that decides which comes first; ``due`` is the oldest's."""

    is_cancelled: bool
    priority: int
    project_id: str | None
    store: str | None
    due: datetime


def is_any_due(connection: Connection, kinds: Collection[str], now: datetime) -> bool:
    """Tell whether a job of ``kinds`` is due, limits left aside."""
    return connection.execute(_ANY, {"kinds": list(kinds), "now": now}).first() is not None


def claim(
    connection: Connection,
    process: str,
    kinds: Collection[str],
    now: datetime,
    lease_until: datetime,
    limits: JobLimits,
) -> Job | None:
    """Return a job of ``kinds`` that is due at ``now``, held by ``process`` until ``lease_until``; None for none.

    Each claim counts as an attempt. A job that was cancelled while nobody worked on it is given out too, before all
    others, so that what it left is put right: the worker sees ``is_cancelled`` and gives it up. Jobs without a project
    or a store are not limited by one.
    """
    turns.wait(connection, turns.CLAIM_JOB)
    values = {"kinds": list(kinds), "now": now}
    rows = connection.execute(_GROUPS, values).all()
    for group in in_order([Waiting(*row[:5]) for row in rows if not row[5]], _running(rows), limits):
        job = _take(connection, group, values, process, lease_until)
        if job is not None:
            return job
    return None


def in_order(waiting: Sequence[Waiting], running: Counter[tuple[str, str]], limits: JobLimits) -> list[Waiting]:
    """Return what ``limits`` admit of ``waiting``, whose turn it is first.

    ``running`` counts the running jobs under ("project", id) and ("store", id).
    """

    def has_room(one: Waiting) -> bool:
        return _is_below(running["project", one.project_id or ""], limits.per_project) and _is_below(
            running["store", one.store or ""], limits.per_store
        )

    def rank(one: Waiting) -> tuple[Any, ...]:
        return not one.is_cancelled, -one.priority, running["project", one.project_id or ""], one.due

    return sorted(filter(has_room, waiting), key=rank)


def _running(rows: Sequence[Any]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for _, _, project_id, store, _, is_running, count in rows:
        if is_running and project_id is not None:
            found["project", project_id] += count
        if is_running and store is not None:
            found["store", store] += count
    return found


def _is_below(count: int, limit: int | None) -> bool:
    return limit is None or count < limit


def _take(
    connection: Connection, group: Waiting, values: dict[str, Any], process: str, lease_until: datetime
) -> Job | None:
    """Return the oldest job of ``group``, taken; None where its holder has just renewed its lease or ended it."""
    key = {column.name: getattr(group, column.name) for column in _KEYS}
    row = connection.execute(_FIRST, values | key | {"due": group.due}).first()
    if row is None:
        return None
    job = to_job(row)
    now = values["now"]
    changes: dict[str, Any] = {
        "state": PROCESSING,
        "process": process,
        "lease_until": lease_until,
        "attempts": job.attempts + 1,
        "updated_at": now,
    }
    taken = connection.execute(_TAKE, {"job": job.id, "attempt": job.attempts, "now": now} | changes).rowcount
    return replace(job, **changes) if taken else None
