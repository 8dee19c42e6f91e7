"""Renews the leases of the jobs that this worker runs, in a separate thread, and finds the jobs that must stop.

A job may block for a long time, so it does not renew its own lease.
"""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.domain.job import Job
from glance_mini.operations.jobs import RenewJobs
from glance_mini.workers.run import Run, Stop

LOG = logging.getLogger(__name__)

LONGEST_PAUSE = 2.0
"""Seconds between two renewals at most, for any length of lease, because renewals also find cancelled jobs."""


class JobLeases:
    """The jobs that the worker ``process`` holds now."""

    def __init__(self, data: DataAccess, process: str, lease_seconds: float, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds; it only measures how long leases last."""
        self.process = process
        self.lease = timedelta(seconds=lease_seconds)
        self._data = data
        self._clock = clock
        self._held: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._background = Background("job-leases", self.renew, self._pause, "Leases are not renewed", False)

    def start(self) -> None:
        """Start to renew; called once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop renewing; other workers take over jobs that are still held when their leases expire."""
        self._background.close(0)

    def lease_until(self) -> float:
        """Return the earliest time, in seconds of the clock, at which a lease requested now expires."""
        return self._clock() + self.lease.total_seconds()

    def hold(self, job: Job, lease_until: float) -> Run | None:
        """Return a run of ``job`` and renew its lease from now on; None if an older run of it has not ended here.

        That happens if the database could not be reached for longer than a lease. The older run stops soon.
        """
        with self._lock:
            if older := self._held.get(job.id):
                older.stop(Stop.LOST)
                return None
            self._held[job.id] = Run(job, self._data, lease_until, self._clock)
            return self._held[job.id]

    def drop(self, run: Run) -> None:
        """Stop renewing the lease of ``run``."""
        with self._lock:
            del self._held[run.job.id]

    def stop_all(self) -> None:
        """Make all jobs stop at their next check, because the worker is ending."""
        for run in self.held():
            run.stop(Stop.ENDING)

    def held(self) -> tuple[Run, ...]:
        """Return the runs of this worker."""
        with self._lock:
            return tuple(self._held.values())

    def renew(self) -> None:
        """Renew all leases and stop jobs that were lost or cancelled; errors of the database are logged."""
        runs = self.held()
        if not runs:
            return
        until = self.lease_until()
        try:
            call = RenewJobs(self.process, frozenset(run.job.id for run in runs), self.lease)
            going_on = self._data.run(call)
            for run in runs:
                if run.job.id in going_on or run.look():
                    run.prolong(until)
        except Exception as error:
            LOG.warning("The leases of %d jobs were not renewed: %s", len(runs), error)

    def _pause(self) -> float:
        return min(self.lease.total_seconds() / 4, LONGEST_PAUSE)
