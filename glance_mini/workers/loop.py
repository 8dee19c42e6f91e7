"""The loop of a worker: threads that claim jobs from the database, run them and record their results.

The threads are divided into lanes, so that quick jobs never wait behind slow ones. Nothing here knows what jobs do. If
a result cannot be recorded, the lease of the job expires, and another worker continues it from its checkpoint.
"""

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from glance_mini.db.interface import DataAccess
from glance_mini.domain import errors
from glance_mini.domain.job import FAILURE, SUCCESS, JobLimits
from glance_mini.metrics import Metrics
from glance_mini.operations.jobs import ClaimJob, FinishJob, ReleaseJob
from glance_mini.workers.base import QUICK, SLOW, JobFailed, JobType
from glance_mini.workers.leases import JobLeases
from glance_mini.workers.run import Run, Stop
from glance_mini.workers.settings import WorkerSettings
from glance_mini.workers.wakeup import Sleeper, Wakeup
from glance_mini_store.errors import StoreError

LOG = logging.getLogger(__name__)

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=10)
NO_DELAY = timedelta(0)
"""A retry waits twice as long as the one before, within these bounds."""

MOST_BEGINNINGS = 50
"""How often a job is started at most: one that never finishes may be killing its workers."""

FINAL = (
    JobFailed,
    errors.NotFound,
    errors.Forbidden,
    errors.Invalid,
    errors.UnsafeContent,
    errors.LimitExceeded,
    errors.Gone,
)
"""Errors that a retry would meet again."""

UNKNOWN = "The job failed; the log of the worker gives the reason."
ENDLESS = f"The job was started {MOST_BEGINNINGS} times and has not finished."


@dataclass(frozen=True)
class Lane:
    """Threads for jobs of some kinds. One thread polls, the others wait for the lock ``asking``."""

    name: str
    kinds: tuple[str, ...]
    threads: int
    limits: JobLimits
    sleeper: Sleeper
    asking: threading.Lock = field(default_factory=threading.Lock)


class Worker:
    """Runs jobs of the types it knows until it is stopped; ``settings`` say how many of each lane at once."""

    def __init__(
        self,
        data: DataAccess,
        types: Mapping[str, JobType],
        wakeup: Wakeup,
        settings: WorkerSettings,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        host: str | None = None,
    ) -> None:
        """``types`` has a job type for each kind; jobs of other kinds are left to other workers.

        ``clock`` returns seconds and measures how long leases last. ``host`` is the node URL of this node, None if
        there is only one node; jobs that are bound to another node are left to it.
        """
        self.process = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.leases = JobLeases(data, self.process, settings.lease_seconds, clock)
        self._data = data
        self._types = types
        self._wakeup = wakeup
        self._settings = settings
        self._metrics = metrics
        self._host = host
        self._stopping = threading.Event()
        self._lanes = self._make_lanes()
        self._threads = [
            threading.Thread(target=self._work, args=[lane], name=f"job-{lane.name}-{number}", daemon=True)
            for lane in self._lanes
            for number in range(lane.threads)
        ]

    def start(self) -> None:
        """Start to claim jobs; called once, and after a fork."""
        self.leases.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Claim no more jobs; running ones stop at their next check and are released. Returns at once."""
        self._stopping.set()
        self._wakeup.wake()
        self.leases.stop_all()

    def join(self, seconds: float) -> bool:
        """Return whether all jobs have ended, after at most ``seconds``. Their leases are renewed until then."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.leases.close()
        return not any(thread.is_alive() for thread in self._threads)

    def run_one(self) -> bool:
        """Run one job that is due, in this thread, and return whether there was one."""
        run = next(filter(None, map(self._claim, self._lanes)), None)
        if run is not None:
            self._run(run)
        return run is not None

    def _make_lanes(self) -> tuple[Lane, ...]:
        """Return the lanes that have kinds of jobs, the slow one first."""
        settings, lanes = self._settings, list[Lane]()
        for name, threads, limits in (
            (SLOW, settings.threads, settings.limits),
            (QUICK, settings.quick_threads, settings.quick_limits),
        ):
            kinds = tuple(kind for kind, each in self._types.items() if each.lane == name)
            if kinds:
                lanes.append(Lane(name, kinds, threads, limits, Sleeper(self._wakeup)))
        return tuple(lanes)

    def _work(self, lane: Lane) -> None:
        while (run := self._next(lane)) is not None:
            self._run(run)

    def _next(self, lane: Lane) -> Run | None:
        """Return the next job of ``lane``, None if the worker is stopped."""
        with lane.asking:
            while not self._stopping.is_set():
                if run := self._claim(lane):
                    return run
                lane.sleeper.sleep(self._settings.poll_interval)
        return None

    def _claim(self, lane: Lane) -> Run | None:
        until, lease = self.leases.lease_until(), self.leases.lease
        try:
            call = ClaimJob(self.process, lane.kinds, lease, lane.limits, self._host)
            job = self._data.run(call)
            if job is None:
                return None
            run = self.leases.hold(job, until)
            if run is None:
                self._data.run(ReleaseJob(job, lease, job.message))
        except Exception as error:
            LOG.warning("No job could be claimed: %s", error)
            return None
        if run is not None and self._stopping.is_set():
            # ``stop`` may have been called before this job was held.
            run.stop(Stop.ENDING)
        return run

    def _run(self, run: Run) -> None:
        kind, started = run.job.kind, time.monotonic()
        outcome = "lost"
        try:
            with self._metrics.jobs_running.labels(kind).track_inprogress():
                outcome = self._outcome(run)
        except Exception as error:
            LOG.warning("The result of job %s could not be recorded; its lease will expire: %r", run.job.id, error)
        finally:
            self.leases.drop(run)
        self._metrics.jobs.labels(kind, outcome).inc()
        self._metrics.job_seconds.labels(kind).observe(time.monotonic() - started)
        LOG.info("Job %s (%s), attempt %d: %s.", run.job.id, kind, run.job.attempts, outcome)

    def _outcome(self, run: Run) -> str:
        if run.stopped is None and run.job.attempts > MOST_BEGINNINGS:
            return self._fail(run, ENDLESS)
        try:
            run.check()
            with run.cancellation.applied():
                result = self._types[run.job.kind].run(run.job, run)
        except Exception as error:
            return self._interrupted(run, error)
        return self._finish(run, SUCCESS, result, "")

    def _interrupted(self, run: Run, error: Exception) -> str:
        """Return the outcome of a job that raised; the reason to stop takes precedence over the error."""
        if run.stopped is Stop.CANCELLED:
            return self._fail(run, Stop.CANCELLED.value)
        if run.stopped is Stop.ENDING:
            return self._release(run, NO_DELAY, run.job.message, "handed_back")
        if run.stopped is Stop.LOST:
            return "lost"
        if isinstance(error, FINAL):
            return self._fail(run, str(error))
        known = isinstance(error, (errors.GlanceMiniError, StoreError))
        LOG.warning("Job %s (%s): %s", run.job.id, run.job.kind, error, exc_info=None if known else error)
        text = str(error) if known else UNKNOWN
        most = self._settings.max_attempts or self._types[run.job.kind].max_attempts
        return self._fail(run, text) if run.failures + 1 >= most else self._retry(run, text)

    def _retry(self, run: Run, text: str) -> str:
        delay = min(FIRST_DELAY * 2 ** min(run.failures, 16), LONGEST_DELAY) * random.uniform(0.8, 1.2)
        try:
            run.note_failure(text)
        except errors.Gone:
            return self._fail(run, Stop.CANCELLED.value)
        return self._release(run, delay, text, "retried")

    def _release(self, run: Run, delay: timedelta, message: str, outcome: str) -> str:
        self._data.run(ReleaseJob(run.job, delay, message))
        return outcome

    def _fail(self, run: Run, reason: str) -> str:
        """End a job that cannot succeed, after its type has cleaned up."""
        if not run.look():
            return "lost"
        LOG.warning("Job %s (%s) failed: %s", run.job.id, run.job.kind, reason)
        try:
            self._types[run.job.kind].give_up(run.job, reason)
        except Exception:
            LOG.exception("Job %s (%s) could not be cleaned up.", run.job.id, run.job.kind)
            if run.job.attempts <= MOST_BEGINNINGS:
                return self._release(run, LONGEST_DELAY, reason, "retried")
        outcome = "cancelled" if run.stopped is Stop.CANCELLED else FAILURE
        return self._finish(run, FAILURE, None, reason, outcome)

    def _finish(
        self, run: Run, state: str, result: Mapping[str, object] | None, message: str, outcome: str | None = None
    ) -> str:
        try:
            self._data.run(FinishJob(run.job, state, result, message, self._settings.keep_ended))
        except errors.Gone:
            return "lost"
        return outcome or state
