"""Removes keys of writes that no node will repeat any more, in its own thread."""

from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.operations.once import PurgeKeys

INTERVAL = 60.0
BATCH = 1000
"""Number of rows that one transaction removes."""


class KeyCleaner:
    """Removes the keys in ``data`` that are older than ``keep`` seconds; any number may do so at once."""

    def __init__(self, data: DataAccess, keep: float, interval: float = INTERVAL) -> None:
        self._data = data
        self._keep = timedelta(seconds=keep)
        complaint = "Old keys of calls could not be removed"
        self._background = Background("registry-keys", self.clean, lambda: interval, complaint, False)

    def start(self) -> None:
        """Start the thread; the first round begins after a pause. Call it once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop after the current batch."""
        self._background.close()

    def clean(self) -> int:
        """Remove all old keys and return their number; raises Unavailable."""
        removed = 0
        while not self._background.is_stopping:
            count = self._data.run(PurgeKeys(self._keep, BATCH))
            removed += count
            if count < BATCH:
                break
        return removed
