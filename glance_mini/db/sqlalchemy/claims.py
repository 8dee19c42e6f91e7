"""Gives jobs out, each to one worker: by priority, then fairly between projects, within limits (DESIGN, jobs are rows).

Claims take turns. Only so do limits hold and is the share fair: two claims at once would each count without the other,
whichever rows they lock. A turn lasts a few statements, and a worker that finds nothing due waits for none.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, or_, select, update

from glance_mini.db.sqlalchemy import turns
from glance_mini.db.sqlalchemy.jobs import get
from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.domain.job import PENDING, PROCESSING, Job, JobLimits

_MANY = 2**31 - 1
_TRIES = 10

_NOW: Any = bindparam("now", type_=jobs.c.due_at.type)
_LAPSED = or_(jobs.c.state == PENDING, jobs.c.lease_until < _NOW)
_DUE = (
    # The dead are found by the same index as the waiting: a job that runs has been due.
    jobs.c.state.in_((PENDING, PROCESSING)),
    jobs.c.due_at <= _NOW,
    _LAPSED,
    jobs.c.kind.in_(bindparam("kinds", expanding=True)),
)


def _running(column: Any) -> Any:
    alive = (jobs.c.state == PROCESSING, jobs.c.lease_until >= _NOW)
    return select(column, func.count().label("running")).where(*alive).group_by(column).subquery()


_PROJECTS = _running(jobs.c.project_id)
_STORES = _running(jobs.c.store)
_OF_PROJECT = func.coalesce(_PROJECTS.c.running, 0)
_OF_STORE = func.coalesce(_STORES.c.running, 0)

_ANY = select(jobs.c.id).where(*_DUE).limit(1)
_NEXT = (
    select(jobs.c.id, jobs.c.attempts)
    .select_from(
        jobs.outerjoin(_PROJECTS, _PROJECTS.c.project_id == jobs.c.project_id).outerjoin(
            _STORES, _STORES.c.store == jobs.c.store
        )
    )
    .where(*_DUE, bindparam("per_project", type_=Integer) > _OF_PROJECT, bindparam("per_store", type_=Integer) > _OF_STORE)
    .order_by(jobs.c.is_cancelled.desc(), jobs.c.priority.desc(), _OF_PROJECT, jobs.c.due_at, jobs.c.id)
    .limit(1)
)
_TAKE = update(jobs).where(
    jobs.c.id == bindparam("job"),
    jobs.c.attempts == bindparam("attempt"),
    jobs.c.state.in_((PENDING, PROCESSING)),
    _LAPSED,
)


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
    values = {
        "kinds": list(kinds),
        "now": now,
        "per_project": _MANY if limits.per_project is None else limits.per_project,
        "per_store": _MANY if limits.per_store is None else limits.per_store,
    }
    # A job may slip away: its holder renews its lease or ends it without waiting for a turn.
    for _ in range(_TRIES):
        found = connection.execute(_NEXT, values).first()
        if found is None:
            return None
        taken = {"job": found[0], "attempt": found[1], "now": now}
        changes = {
            "state": PROCESSING,
            "process": process,
            "lease_until": lease_until,
            "attempts": found[1] + 1,
            "updated_at": now,
        }
        if connection.execute(_TAKE, taken | changes).rowcount:
            return get(connection, found[0])
    return None
