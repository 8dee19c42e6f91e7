"""Gives each job to one worker: by priority, then fairly between projects, within limits.

A claim is a few statements, none of which reads ended jobs or sorts the queue. Simultaneous claims skip each other's
rows. With limits they take a lock, because two simultaneous claims would not count each other's job. A worker that
finds no due job does not wait for the lock.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.dynamic import AnyRow, AnySelect, RowValues
from glance_mini.db.sqlalchemy.jobs.rows import COLUMNS, change, to_job, to_stores
from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.domain.job import NO_JOB_LIMITS, PENDING, PROCESSING, Job, JobLimits
from glance_mini.operations.jobs import ClaimJob

_NOW = bindparam("now", type_=jobs.c.due_at.type)
_EXPIRED_LEASE = (jobs.c.state == PROCESSING, jobs.c.lease_until < _NOW)
_DUE = (
    jobs.c.state == PENDING,
    jobs.c.due_at <= _NOW,
    # Any node can clean up after a cancelled job, because the node of the job may never come back.
    or_(jobs.c.node_url.is_(None), jobs.c.node_url == bindparam("node_url"), jobs.c.is_cancelled == true()),
)

RUNNING, EXPIRED, DUE = range(3)
"""The kinds of rows of ``Statements.look``: a running job, a job with an expired lease, or a sign that a job is due."""

_STATE = case((jobs.c.lease_until < _NOW, EXPIRED), else_=RUNNING)
_GIVE_BACK = update(jobs).where(*_EXPIRED_LEASE)

_PROJECTS: BindParameter[str] = bindparam("projects", expanding=True)
_OF_THESE = jobs.c.project_id.in_(_PROJECTS)
_OF_OTHERS = or_(jobs.c.project_id.is_(None), jobs.c.project_id.not_in(_PROJECTS))


@dataclass(frozen=True)
class Queue:
    """The jobs that may be claimed: those of ``kinds`` that are due at ``now`` and that the node ``node_url`` can run.

    ``node_url`` is a node URL, None for the only node.
    """

    kinds: tuple[str, ...]
    node_url: str | None
    now: datetime

    @property
    def statements(self) -> "Statements":
        """The statements of the queue."""
        return _statements(self.kinds)

    @property
    def values(self) -> dict[str, object]:
        """The parameters of the statements."""
        return {"node_url": self.node_url, "now": self.now}


@dataclass(frozen=True)
class Statements:
    """The statements for jobs of some kinds: running and due jobs; running jobs; the first of all, of others, of
    given projects.

    They are built once, because building one costs more than sending it.
    """

    look: Executable
    running: AnySelect
    first: AnySelect
    first_of_others: AnySelect
    first_of_these: AnySelect


@lru_cache
def _statements(kinds: tuple[str, ...]) -> Statements:
    is_claimed = or_(false(), *(jobs.c.kind == kind for kind in kinds))
    due = (*_DUE, is_claimed)
    # The limit of a project counts only jobs of the claimed kinds.
    limited = case((is_claimed, jobs.c.project_id), else_=null())
    running = select(jobs.c.project_id, jobs.c.stores, _STATE, limited).where(jobs.c.state == PROCESSING)
    is_waiting = select(null(), null(), literal(DUE), null()).where(exists().where(*due))
    first = (
        select(jobs.c.rank, *COLUMNS)
        .where(*due)
        .order_by(jobs.c.rank, jobs.c.due_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    of_rank = first.where(jobs.c.rank == bindparam("rank"))
    others, these = of_rank.where(_OF_OTHERS), of_rank.where(_OF_THESE)
    return Statements(union_all(running, is_waiting), running, first, others, these)


@dataclass(frozen=True)
class Running:
    """The numbers of running jobs by project and by store, and whether the lease of any job has expired.

    ``limited`` are the numbers by project of jobs of the claimed kinds.
    """

    projects: Counter[str]
    limited: Counter[str]
    stores: Counter[str]
    has_expired: bool


def look(connection: Connection, call: ClaimJob, now: datetime) -> bool:
    """Return whether there may be a job for ``call``: a job is due, regardless of limits, or a lease has expired."""
    queue = Queue(call.kinds, call.node_url, now)
    return any(row[2] != RUNNING for row in connection.execute(queue.statements.look, queue.values))


def claim(connection: Connection, call: ClaimJob, now: datetime) -> Job | None:
    """Return a job that the caller now holds; None if there is no job.

    Each claim counts as an attempt. A job that was cancelled while no worker held it is given out before all others, so
    that the worker cleans up after it: the worker sees ``is_cancelled`` and ends it. Limits per project or per store do
    not apply to jobs without a project or a store.
    """
    queue, limits = Queue(call.kinds, call.node_url, now), call.limits
    if limits != NO_JOB_LIMITS:
        locks.wait(connection, locks.CLAIM_JOB)
    running = _count(connection.execute(queue.statements.running, {"now": now}).all())
    if running.has_expired:
        connection.execute(_GIVE_BACK, {"now": now, "state": PENDING, "process": None, "lease_until": None})
    job = _next(connection, queue, running, limits)
    if job is None:
        return None
    return change(
        connection,
        job,
        state=PROCESSING,
        process=call.process,
        lease_until=now + call.lease,
        attempts=job.attempts + 1,
        updated_at=now,
    )


def _count(rows: Sequence[RowValues]) -> Running:
    running = Running(Counter(), Counter(), Counter(), any(row[2] == EXPIRED for row in rows))
    for project, stores, state, limited in rows:
        if state == RUNNING:
            running.projects.update([project] if project is not None else ())
            running.limited.update([limited] if limited is not None else ())
            running.stores.update(to_stores(stores))
    return running


def _next(connection: Connection, queue: Queue, running: Running, limits: JobLimits) -> Job | None:
    """Return the next job, locked: the first by rank, then by running jobs of its project, then by age."""
    busy = [project for project, count in running.limited.items() if not _is_below(count, limits.per_project)]
    full = [store for store, count in running.stores.items() if not _is_below(count, limits.per_store)]
    first = queue.statements.first.where(_OF_OTHERS) if busy else queue.statements.first
    row = _first(connection, first, full, queue.values | {"projects": busy})
    if row is None:
        return None
    oldest = to_job(row[1:])
    # Within its rank a younger job comes first if its project has fewer running jobs.
    for statement, projects in _levels(queue.statements, running.projects, oldest.project_id, busy):
        better = _first(connection, statement, full, queue.values | {"projects": projects, "rank": row.rank})
        if better is not None:
            return to_job(better[1:])
    return oldest


def _levels(
    statements: Statements, running: Counter[str], project: str | None, busy: Collection[str]
) -> Iterator[tuple[AnySelect, list[str]]]:
    """Yield, for each number of running jobs below that of ``project``, the statement and the projects to search.

    The projects ``busy`` have reached their limit.
    """
    most = running[project] if project is not None else 0
    if most:
        yield statements.first_of_others, list(running)
    for level in sorted({count for count in running.values() if count < most}):
        yield (
            statements.first_of_these,
            [name for name, count in running.items() if count == level and name not in busy],
        )


def _first(
    connection: Connection, statement: AnySelect, full: Collection[str], values: dict[str, object]
) -> AnyRow | None:
    """Return the first row of a job that writes to none of the stores ``full``; None if there is no such job."""
    if full:
        statement = statement.where(*map(_writes_not_to, full))
    return connection.execute(statement, values).first()


def _writes_not_to(store: str) -> ColumnElement[bool]:
    # Unlike LIKE, REPLACE is case-sensitive on every database and has no wildcards.
    return or_(jobs.c.stores.is_(None), func.replace(jobs.c.stores, f",{store},", "") == jobs.c.stores)


def _is_below(count: int, limit: int | None) -> bool:
    return limit is None or count < limit


WRITES = {ClaimJob: claim}
LOOKS = {ClaimJob: (look, None)}
"""For each call a read that returns whether the call may find something, and the result of the call if not."""
