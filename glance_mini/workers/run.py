"""One job in the hands of this worker, and the control that its job type gets.

Says why a job must stop; what becomes of it then is decided in ``loop``, and who renews its lease in ``leases``.
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
"""The key of a checkpoint under which the worker itself counts the errors that brought a retry.

``Job.attempts`` cannot tell: it counts the beginnings after a worker died or was stopped too.
"""


class Stop(enum.Enum):
    """Why a job must stop, in the words for its job type."""

    CANCELLED = "The job was cancelled."
    LOST = "The lease has ended; the job is another worker's now."
    ENDING = "The worker is ending."


class Run:
    """A claimed job; all methods may be called from any thread. ``job`` is what is known of its row."""

    def __init__(self, job: Job, data: DataAccess, lease_until: float, clock: Callable[[], float]) -> None:
        """``lease_until`` in seconds of ``clock``, which is this machine's own and only measures durations."""
        self.job = job
        self.stopped: Stop | None = Stop.CANCELLED if job.is_cancelled else None
        self._data = data
        self._lease_until = lease_until
        self._clock = clock
        self.cancellation = Cancellation()
        self._saving = threading.Lock()

    @property
    def failures(self) -> int:
        """How often an error has brought a retry of this job."""
        count = self.job.checkpoint.get(FAILURES, 0)
        return count if isinstance(count, int) else 0

    def check(self) -> None:
        """Return while the job may go on; raises JobStopped."""
        if self._clock() >= self._lease_until:
            # Nobody could tell us, because the database does not answer; but others may have taken the job already.
            self.stop(Stop.LOST)
        if self.stopped is not None:
            raise JobStopped(reason=self.stopped.value)

    def checkpoint(self, values: Mapping[str, object], message: str = "") -> None:
        """Note how far the job came, and ``message`` where there is one; raises JobStopped, Unavailable."""
        self._note(values, message or self.job.message)

    def report_progress(self, message: str) -> None:
        """Let the task say ``message``; raises JobStopped, Unavailable."""
        self._note(None, message)

    def note_failure(self, message: str) -> None:
        """Count an error that brings a retry; Gone where the job is lost or cancelled."""
        with self._saving:
            self._save(self.job.checkpoint, message, self.failures + 1)

    def stop(self, why: Stop) -> None:
        """Make the next check raise JobStopped, and end what waits for a web server; a job that is lost stays lost."""
        if self.stopped is not Stop.LOST:
            self.stopped = why
        self.cancellation.cancel()

    def prolong(self, lease_until: float) -> None:
        """Take note that the lease was renewed."""
        self._lease_until = lease_until

    def look(self) -> bool:
        """Return whether the job is still ours, as the database has it; stop it where it is not or was cancelled."""
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
