"""Removes the records of jobs that ended long ago, and whatever else is left over, from a thread of its own.

It is no job itself: any number of workers may do it at once, and what one leaves the next takes.
"""

import logging
from collections.abc import Callable, Sequence

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.operations.jobs import PurgeJobs

LOG = logging.getLogger(__name__)

INTERVAL = 600.0
BATCH = 1000
"""Rows removed in one transaction."""


class Cleaner:
    """Removes expired records every ``interval`` seconds, and calls ``sweeps``; ``clean`` removes the records."""

    def __init__(
        self, data: DataAccess, interval: float = INTERVAL, sweeps: Sequence[Callable[[], int]] = ()
    ) -> None:
        self._data = data
        self._works = (self.clean, *sweeps)
        self._background = Background("job-cleaner", self._work, lambda: interval, "Nothing was cleaned")

    def start(self) -> None:
        """Begin with rounds, the first at once; once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop after the batch in hand."""
        self._background.close(0)

    def clean(self) -> int:
        """Remove all records that have expired and return how many there were; raises Unavailable."""
        removed = 0
        while not self._background.is_stopping:
            count = self._data.run(PurgeJobs(BATCH))
            removed += count
            if count < BATCH:
                break
        return removed

    def _work(self) -> None:
        for work in self._works:
            try:
                work()
            except Exception as error:
                LOG.warning("What is left over was not removed: %s", error)
