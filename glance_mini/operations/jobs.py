"""Data calls about jobs: the durable queue of the workers. Each is one transaction; times as in ``records``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.job import NO_JOB_LIMITS, Job, JobLimits
from glance_mini.operations.base import DataCall, DataQuery, Operation


@dataclass(frozen=True)
class AddJob(DataCall[Job]):
    """Insert a pending job, due after ``delay``, and return it; Duplicate."""

    name: ClassVar[str] = "add_job"
    job: Job
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class GetJob(DataQuery[Job]):
    """Return the job; NotFound."""

    name: ClassVar[str] = "get_job"
    job_id: str


@dataclass(frozen=True)
class ClaimJob(DataCall[Job | None]):
    """Return a job of ``kinds`` that is due, now processing and held by ``process`` for ``lease``; None without one.

    Due are pending jobs and those whose lease has ended. A job is given to one caller only (compare and set), by
    priority, then fairly between projects, within ``limits``. One that is bound to a node is given to ``host`` only,
    unless it was cancelled and is only to be cleared away.
    """

    name: ClassVar[str] = "claim_job"
    process: str
    kinds: tuple[str, ...]
    lease: timedelta
    limits: JobLimits = NO_JOB_LIMITS
    host: str | None = None


@dataclass(frozen=True)
class RenewJobs(DataCall[frozenset[str]]):
    """Prolong the leases of those jobs that ``process`` still holds to ``lease`` from now; return those that may go on.

    A job that was cancelled or is another process's now is left out.
    """

    name: ClassVar[str] = "renew_jobs"
    may_repeat: ClassVar[bool] = True
    process: str
    job_ids: frozenset[str]
    lease: timedelta


@dataclass(frozen=True)
class SaveCheckpoint(DataCall[Job]):
    """Note how far a job came and return it; Gone where its process does not hold it any more or it was cancelled."""

    name: ClassVar[str] = "save_checkpoint"
    may_repeat: ClassVar[bool] = True
    job: Job
    checkpoint: Mapping[str, object]
    message: str = ""


@dataclass(frozen=True)
class FinishJob(DataCall[Job]):
    """End a job with ``success`` or ``failure``, forget its token and return it; its record stays for ``keep``.

    Raises Gone where it is not ours any more.
    """

    name: ClassVar[str] = "finish_job"
    job: Job
    state: str
    result: Mapping[str, object] | None
    message: str
    keep: timedelta


@dataclass(frozen=True)
class ReleaseJob(DataCall[None]):
    """Give a job back to be taken again after ``delay``; nothing where it is not ours any more."""

    name: ClassVar[str] = "release_job"
    may_repeat: ClassVar[bool] = True
    job: Job
    delay: timedelta
    message: str


@dataclass(frozen=True)
class CancelJob(DataCall[Job]):
    """Mark a job cancelled and return it: a pending one fails at once, a running one at its next step.

    The record of one that fails at once stays for ``keep``. Raises Conflict where it has ended, NotFound.
    """

    name: ClassVar[str] = "cancel_job"
    job_id: str
    keep: timedelta = timedelta(hours=48)


@dataclass(frozen=True)
class RetryJob(DataCall[Job]):
    """Make a failed job pending again, its attempts forgotten, and return it; Conflict in any other state, NotFound."""

    name: ClassVar[str] = "retry_job"
    job_id: str


@dataclass(frozen=True)
class PurgeJobs(DataCall[int]):
    """Remove up to ``max_rows`` finished jobs whose time to stay is over; return how many went."""

    name: ClassVar[str] = "purge_jobs"
    may_repeat: ClassVar[bool] = True
    max_rows: int


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
)
