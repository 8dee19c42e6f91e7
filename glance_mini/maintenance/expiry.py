"""Removes the records of old jobs, expired links, tokens, uploads and events, and other leftovers, in its own thread.

This work is not a job: any number of workers may do it at once, and one continues where another stopped.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.operations.base import DataCall
from glance_mini.operations.event_log import RemoveEvents
from glance_mini.operations.identity import PurgeTokens
from glance_mini.operations.jobs import PurgeJobs
from glance_mini.operations.links import PurgeLinks
from glance_mini.operations.upload_sessions import PurgeUploadSessions

LOG = logging.getLogger(__name__)

INTERVAL = 600.0
KEEP_EVENTS = timedelta(minutes=15)
BATCH = 1000
"""Number of rows that one transaction removes."""


class Cleaner:
    """Calls ``clean`` and ``sweeps`` every ``interval`` seconds.

    ``clean`` removes expired records, and events of the log that are older than ``keep_events``.
    """

    def __init__(
        self,
        data: DataAccess,
        interval: float = INTERVAL,
        sweeps: Sequence[Callable[[], int]] = (),
        keep_events: timedelta = KEEP_EVENTS,
    ) -> None:
        self._data = data
        self._keep_events = keep_events
        self._works = (self.clean, *sweeps)
        self._background = Background("job-cleaner", self._work, lambda: interval, "The cleaning failed")

    def start(self) -> None:
        """Start the thread; the first round begins at once. Call it once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop after the current batch."""
        self._background.close(0)

    def clean(self) -> int:
        """Remove all expired records and return their number; raises Unavailable."""
        expired = (PurgeJobs(BATCH), PurgeLinks(BATCH), PurgeTokens(BATCH), PurgeUploadSessions(BATCH))
        return sum(self._remove(call) for call in (*expired, RemoveEvents(self._keep_events, BATCH)))

    def _remove(self, call: DataCall[int]) -> int:
        removed = 0
        while not self._background.is_stopping:
            count = self._data.run(call)
            removed += count
            if count < BATCH:
                break
        return removed

    def _work(self) -> None:
        for work in self._works:
            try:
                work()
            except Exception as error:
                LOG.warning("Leftovers could not be removed: %s", error)
