"""Gives jobs out, each to one worker: by priority, then fairly between projects, within limits (DESIGN, jobs are rows).

A claim is a few statements, none of which looks at a job that has ended or sorts the queue. Claims at the same moment
pass over each other's rows; with limits they take turns, for two of them would each count without the other, whichever
rows they lock. A worker that finds nothing due waits for no turn.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, func, or_, select, update

from glance_mini.db.sqlalchemy import turns
from glance_mini.db.sqlalchemy.jobs import COLUMNS, change, to_job
from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.domain.job import PENDING, PROCESSING, Job, JobLimits

_NOW: Any = bindparam("now", type_=jobs.c.due_at.type)
_KINDS = jobs.c.kind.in_(bindparam("kinds", expanding=True))
_LAPSED = (jobs.c.state == PROCESSING, jobs.c.lease_until < _NOW)
_DUE = (jobs.c.state == PENDING, jobs.c.due_at <= _NOW, _KINDS)

_ANY_DUE = select(jobs.c.id).where(*_DUE).limit(1)
_ANY_LAPSED = select(jobs.c.id).where(*_LAPSED, _KINDS).limit(1)
_IS_LAPSED = case((jobs.c.lease_until < _NOW, 1), else_=0).label("is_lapsed")
_RUNNING = (
    select(jobs.c.project_id, jobs.c.store, _IS_LAPSED, func.count())
    .where(jobs.c.state == PROCESSING)
    .group_by(jobs.c.project_id, jobs.c.store, _IS_LAPSED)
)
_GIVE_BACK = update(jobs).where(*_LAPSED)
_FIRST = (
    select(jobs.c.rank, jobs.c.due_at, *COLUMNS)
    .where(*_DUE, or_(jobs.c.store.is_(None), jobs.c.store.not_in(bindparam("full_stores", expanding=True))))
    .order_by(jobs.c.rank, jobs.c.due_at, jobs.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_PROJECTS: Any = bindparam("projects", expanding=True)
_FIRST_OF = _FIRST.where(jobs.c.project_id.in_(_PROJECTS))
_FIRST_OF_OTHERS = _FIRST.where(or_(jobs.c.project_id.is_(None), jobs.c.project_id.not_in(_PROJECTS)))

NO_LIMITS = JobLimits()

Counts = Counter[str]


def is_any_due(connection: Connection, kinds: Collection[str], now: datetime) -> bool:
    """Tell whether a job of ``kinds`` is due, limits left aside."""
    values = {"kinds": list(kinds), "now": now}
    return any(connection.execute(statement, values).first() is not None for statement in (_ANY_DUE, _ANY_LAPSED))


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
    if limits != NO_LIMITS:
        turns.wait(connection, turns.CLAIM_JOB)
    projects, stores = _count_running(connection, now)
    full_stores = [store for store, count in stores.items() if not _is_below(count, limits.per_store)]
    values = {"kinds": list(kinds), "now": now, "full_stores": full_stores}
    job = _next(connection, projects, values, limits)
    if job is None:
        return None
    return change(
        connection,
        job,
        state=PROCESSING,
        process=process,
        lease_until=lease_until,
        attempts=job.attempts + 1,
        updated_at=now,
    )


def _count_running(connection: Connection, now: datetime) -> tuple[Counts, Counts]:
    """Return how many jobs run, by project and by store; those whose lease has ended are pending from here on."""
    projects, stores = Counts(), Counts()
    rows = connection.execute(_RUNNING, {"now": now}).all()
    if any(is_lapsed for _, _, is_lapsed, _ in rows):
        free = {"state": PENDING, "process": None, "lease_until": None}
        connection.execute(_GIVE_BACK, {"now": now} | free)
    for project, store, is_lapsed, count in rows:
        if project is not None and not is_lapsed:
            projects[project] += count
        if store is not None and not is_lapsed:
            stores[store] += count
    return projects, stores


def _next(
    connection: Connection, projects: Counts, values: dict[str, Any], limits: JobLimits
) -> Job | None:
    """Return the job whose turn it is, locked: the first by rank, by running jobs of its project, and by age."""
    found = []
    for count, statement, names in _levels(projects, limits):
        row = connection.execute(statement, values | {"projects": names}).first()
        if row is not None:
            found.append((row.rank, count, row.due_at, row[2:]))
    return to_job(min(found, key=lambda one: one[:3])[3]) if found else None


def _levels(projects: Counts, limits: JobLimits) -> Iterator[tuple[int, Select[Any], list[str]]]:
    """Yield each number of running jobs that projects have, with the statement and the projects to look there."""
    yield 0, _FIRST_OF_OTHERS, list(projects)
    for level in sorted(set(projects.values())):
        if _is_below(level, limits.per_project):
            yield level, _FIRST_OF, [project for project, count in projects.items() if count == level]


def _is_below(count: int, limit: int | None) -> bool:
    return limit is None or count < limit
