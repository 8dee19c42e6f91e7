"""The settings of a worker: values only; the options are defined in ``conf.workers``."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from oslo_config import cfg

from glance_mini.domain.job import NO_JOB_LIMITS, JobLimits


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Times are in seconds; ``keep_ended`` is how long the record of an ended job is kept.

    ``max_attempts`` None: each type of job has its own. ``quick_threads`` and ``quick_limits`` are for quick jobs,
    ``threads`` and ``limits`` for all others.
    """

    threads: int = 4
    quick_threads: int = 2
    lease_seconds: float = 60
    poll_interval: float = 5
    max_attempts: int | None = None
    limits: JobLimits = NO_JOB_LIMITS
    quick_limits: JobLimits = NO_JOB_LIMITS
    keep_ended: timedelta = timedelta(hours=48)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the settings in ``[workers]`` and ``[task]``."""
        options = conf.workers
        return cls(
            threads=options.threads,
            quick_threads=options.quick_threads,
            lease_seconds=options.lease_seconds,
            poll_interval=options.poll_interval,
            max_attempts=options.max_attempts,
            limits=JobLimits(_share(options.jobs_per_project, options.threads), options.jobs_per_store),
            quick_limits=JobLimits(_share(options.jobs_per_project, options.quick_threads), options.jobs_per_store),
            keep_ended=timedelta(hours=conf.task.task_time_to_live),
        )


def _share(option: int | None, threads: int) -> int | None:
    """Return how many jobs of one project may run at once, None for any number."""
    if option is None:
        return max(1, threads // 2)
    return option or None
