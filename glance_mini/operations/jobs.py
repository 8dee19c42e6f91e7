"""Data calls on jobs, the durable queue of the workers. Each is one transaction; times are as in ``records``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.job import NO_JOB_LIMITS, Job, JobLimits
from glance_mini.operations.base import API, MIGRATE, WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class AddJob(DataCall[Job]):
    """Insert a pending job, due after ``delay``, and return it; raises Duplicate."""

    name: ClassVar[str] = "add_job"
    job: Job
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class GetJob(DataQuery[Job]):
    """Return the job; raises NotFound."""

    name: ClassVar[str] = "get_job"
    job_id: str


@dataclass(frozen=True)
class ClaimJob(DataCall[Job | None]):
    """Return a due job of ``kinds``, now processing and held by ``process`` for ``lease``; None if no job is due.

    A job is due if it is pending and its time has come, or if its lease has expired. A job is given to one caller only
    (compare and set), by priority, then fairly between projects, within ``limits``. A job that is bound to a node is
    given only to that node, ``node_url``, unless it was cancelled and only needs cleaning up.
    """

    name: ClassVar[str] = "claim_job"
    callers: ClassVar[frozenset[Role]] = WORKER
    process: str
    kinds: tuple[str, ...]
    lease: timedelta
    limits: JobLimits = NO_JOB_LIMITS
    node_url: str | None = None


@dataclass(frozen=True)
class RenewJobs(DataCall[frozenset[str]]):
    """Renew the leases of the jobs that ``process`` still holds to ``lease`` from now; return those that may continue.

    The result leaves out jobs that were cancelled or that another process now holds.
    """

    name: ClassVar[str] = "renew_jobs"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    process: str
    job_ids: frozenset[str]
    lease: timedelta


@dataclass(frozen=True)
class SaveCheckpoint(DataCall[Job]):
    """Save the progress of a job and return it; raises Gone if its process no longer holds it or it was cancelled."""

    name: ClassVar[str] = "save_checkpoint"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    checkpoint: Mapping[str, object]
    message: str = ""


@dataclass(frozen=True)
class FinishJob(DataCall[Job]):
    """End a job with ``success`` or ``failure``, erase its token and return it; its record stays for ``keep``.

    Raises Gone if its process no longer holds it.
    """

    name: ClassVar[str] = "finish_job"
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    state: str
    result: Mapping[str, object] | None
    message: str
    keep: timedelta


@dataclass(frozen=True)
class ReleaseJob(DataCall[None]):
    """Release a job so that it can be claimed after ``delay``; do nothing if its process no longer holds it."""

    name: ClassVar[str] = "release_job"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    delay: timedelta
    message: str


@dataclass(frozen=True)
class CancelJob(DataCall[Job]):
    """Mark a job cancelled and return it: a job that has never run fails at once, another one at its next step.

    The record of a job that fails at once stays for ``keep``. Raises Conflict if it has ended, NotFound.
    """

    name: ClassVar[str] = "cancel_job"
    callers: ClassVar[frozenset[Role]] = API | WORKER | MIGRATE
    job_id: str
    keep: timedelta = timedelta(hours=48)


@dataclass(frozen=True)
class RetryJob(DataCall[Job]):
    """Make a failed job pending again with no attempts and return it; raises Conflict in other states, NotFound."""

    name: ClassVar[str] = "retry_job"
    callers: ClassVar[frozenset[Role]] = API | WORKER | MIGRATE
    job_id: str


@dataclass(frozen=True)
class PurgeJobs(DataCall[int]):
    """Remove up to ``max_rows`` finished jobs that have expired; return the number of removed jobs."""

    name: ClassVar[str] = "purge_jobs"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    max_rows: int


@dataclass(frozen=True)
class MeasureQueue(DataQuery[dict[str, int]]):
    """Return figures of the jobs: ``running``, ``waiting`` though due, ``waiting_seconds`` of the longest wait."""

    name: ClassVar[str] = "measure_queue"


OPERATIONS: tuple[type[Operation[object]], ...] = (
    AddJob,
    GetJob,
    ClaimJob,
    RenewJobs,
    SaveCheckpoint,
    FinishJob,
    ReleaseJob,
    CancelJob,
    RetryJob,
    PurgeJobs,
    MeasureQueue,
)
