"""Removes the records of jobs that ended long ago, and whatever else is left over, from a thread of its own.

It is no job itself: any number of workers may do it at once, and what one leaves the next takes.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from glance_mini.db.job_interface import JobAccess
from glance_mini.domain.clock import utcnow

LOG = logging.getLogger(__name__)

INTERVAL = 600.0
BATCH = 1000
"""Rows removed in one transaction."""


class Cleaner:
    """Removes expired records every ``interval`` seconds, and calls ``sweeps``; ``clean`` removes the records."""

    def __init__(
        self,
        jobs: JobAccess,
        interval: float = INTERVAL,
        clock: Callable[[], datetime] = utcnow,
        sweeps: Sequence[Callable[[], int]] = (),
    ) -> None:
        self._jobs = jobs
        self._works = (self.clean, *sweeps)
        self._interval = interval
        self._clock = clock
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job-cleaner", daemon=True)

    def start(self) -> None:
        """Begin with rounds, the first at once; once, and after a fork."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the batch in hand."""
        self._closed.set()

    def clean(self) -> int:
        """Remove all records that have expired and return how many there were; raises Unavailable."""
        removed = 0
        while not self._closed.is_set():
            count = self._jobs.purge_jobs(self._clock(), BATCH)
            removed += count
            if count < BATCH:
                break
        return removed

    def _run(self) -> None:
        while not self._closed.is_set():
            for work in self._works:
                try:
                    work()
                except Exception as error:
                    LOG.warning("What is left over was not removed: %s", error)
            self._closed.wait(self._interval)
