"""One job that this worker runs, and the control that its job type gets.

It holds the reason why a job must stop. ``loop`` decides on the outcome, and ``leases`` renews the lease.
"""

import enum
import threading
from collections.abc import Callable, Mapping

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Gone, NotFound
from glance_mini.domain.job import PROCESSING, Job
from glance_mini.operations.jobs import GetJob, SaveCheckpoint
from glance_mini.workers.base import JobStopped
from glance_mini_store.web.cancellation import Cancellation

FAILURES = "_failures"
"""The key of a checkpoint under which the worker counts the errors that caused a retry.

``Job.attempts`` also counts the starts after a worker died or was stopped.
"""


class Stop(enum.Enum):
    """Why a job must stop; the value is the text of JobStopped."""

    CANCELLED = "The job was cancelled."
    LOST = "The lease has ended; the job is another worker's now."
    ENDING = "The worker is ending."


class Run:
    """A claimed job; all methods may be called from any thread. ``job`` is the last known state of its row."""

    def __init__(self, job: Job, data: DataAccess, lease_until: float, clock: Callable[[], float]) -> None:
        """``lease_until`` is in seconds of ``clock``, a local clock that only measures durations."""
        self.job = job
        self.stopped: Stop | None = Stop.CANCELLED if job.is_cancelled else None
        self._data = data
        self._lease_until = lease_until
        self._clock = clock
        self.cancellation = Cancellation()
        self._saving = threading.Lock()

    @property
    def failures(self) -> int:
        """How often an error has caused a retry of this job."""
        count = self.job.checkpoint.get(FAILURES, 0)
        return count if isinstance(count, int) else 0

    def check(self) -> None:
        """Return while the job may continue; raises JobStopped."""
        if self._clock() >= self._lease_until:
            # The database may not answer, but another worker may have taken the job already.
            self.stop(Stop.LOST)
        if self.stopped is not None:
            raise JobStopped(reason=self.stopped.value)

    def checkpoint(self, values: Mapping[str, object], message: str = "") -> None:
        """Save how far the job got, and ``message`` unless it is empty; raises JobStopped, Unavailable."""
        self._note(values, message or self.job.message)

    def report_progress(self, message: str) -> None:
        """Show ``message`` in the task; raises JobStopped, Unavailable."""
        self._note(None, message)

    def note_failure(self, message: str) -> None:
        """Count an error that causes a retry; raises Gone if the job is lost or cancelled."""
        with self._saving:
            self._save(self.job.checkpoint, message, self.failures + 1)

    def stop(self, why: Stop) -> None:
        """Make the next check raise JobStopped and end all web requests; a lost job stays lost."""
        if self.stopped is not Stop.LOST:
            self.stopped = why
        self.cancellation.cancel()

    def prolong(self, lease_until: float) -> None:
        """Record that the lease was renewed."""
        self._lease_until = lease_until

    def look(self) -> bool:
        """Return whether this run still has the job in the database; stop it if not, or if it was cancelled."""
        try:
            now = self._data.run(GetJob(self.job.id))
        except NotFound:
            now = None
        if now is None or (now.state, now.process, now.attempts) != (PROCESSING, self.job.process, self.job.attempts):
            self.stop(Stop.LOST)
            return False
        if now.is_cancelled:
            self.stop(Stop.CANCELLED)
        return True

    def _note(self, values: Mapping[str, object] | None, message: str) -> None:
        self.check()
        with self._saving:
            try:
                self._save(self.job.checkpoint if values is None else values, message, self.failures)
            except Gone as error:
                self.look()
                raise JobStopped(reason=(self.stopped or Stop.LOST).value) from error

    def _save(self, values: Mapping[str, object], message: str, failures: int) -> None:
        counted = {**values, FAILURES: failures} if failures else values
        self.job = self._data.run(SaveCheckpoint(self.job, counted, message))
