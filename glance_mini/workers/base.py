"""The interface of a type of job: one class, named by an entry point of the group ``glance_mini.jobs``."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self

from oslo_config import cfg

from glance_mini.domain.acting import context_for
from glance_mini.domain.context import Context
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.job import Job
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.plugins import PluginKind

NAMESPACE = "glance_mini.jobs"

SLOW, QUICK = "slow", "quick"
"""Lanes of a worker. Each has threads of its own, so that a job of one lane never waits for a job of the other.

Quick jobs wait for nothing that users can slow down: they use the database and local disks only.
"""


class JobFailed(GlanceMiniError):
    """The job cannot succeed, now or later; ``reason`` is shown as the task's message."""

    code = "job.failed"
    template = "{reason}"


class JobStopped(GlanceMiniError):
    """The job must stop here: it was cancelled, another worker has taken it, or this worker is ending."""

    code = "job.stopped"
    template = "{reason}"


class Control(Protocol):
    """The interface of the worker for a running job; any thread of the job may call it."""

    def check(self) -> None:
        """Return while the job may continue; raises JobStopped. Cheap: call it for every block."""
        ...

    def checkpoint(self, values: Mapping[str, object], message: str = "") -> None:
        """Save how far the job got, and ``message`` for the task unless it is empty; raises JobStopped.

        ``values`` replace the last checkpoint. The next run of the job finds them in ``job.checkpoint``, beside names
        with an underscore, which belong to the worker.
        """
        ...

    def report_progress(self, message: str) -> None:
        """Show ``message`` in the task and keep the checkpoint; raises JobStopped."""
        ...


def context_of(job: Job) -> Context:
    """Return the context of the user for whom a job acts."""
    return context_for(job, job.is_admin, job.request_id or "")


class JobType:
    """Base of all job types. One object serves all jobs of its kind, so the state of a job stays in locals.

    ``run`` may be called again for the same job after a crash at any moment: it must check ``job.checkpoint`` and what
    already exists. Errors that may pass are raised unchanged and cause a retry with a growing delay, up to
    ``max_attempts``. JobFailed and the errors in ``loop.FINAL`` end the job. JobStopped must not be caught.
    """

    kind: ClassVar[str]
    priority: ClassVar[int] = 0
    lane: ClassVar[str] = SLOW
    max_attempts: int = 5

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        """Return the job type as configured."""
        raise NotImplementedError

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        """Do the work and return the result of the task."""
        raise NotImplementedError

    def give_up(self, job: Job, reason: str) -> None:
        """Clean up after a job that failed or was cancelled, before it ends.

        If it raises or the worker dies in it, it is called again after another run of the job.
        """


JOB_TYPES = PluginKind("Job type", NAMESPACE, JobType, own_name="kind")


def load_job_types(conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Mapping[str, JobType]:
    """Return the installed types of job by kind; raises ConfigurationError, also if none is installed."""
    return JOB_TYPES.build(JOB_TYPES.load_all(), lambda kind: kind.from_config(conf, services, stack))
