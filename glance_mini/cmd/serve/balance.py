"""How many connections each worker has, in memory that they share: a worker with more lets the others accept first.

All workers wait for the same listening sockets. Without this the one that is awake takes most of what comes at once,
and the processors of the others are idle.
"""

from mmap import mmap

_FREE = -1
_BYTES = 8


class Balance:
    """Counts of connections by worker. The master takes and frees the places, each worker writes its own."""

    def __init__(self, workers: int) -> None:
        """Make the memory for ``workers``; processes that are forked later share it."""
        self._counts = memoryview(mmap(-1, workers * _BYTES)).cast("q")
        for place in range(workers):
            self._counts[place] = _FREE

    def take(self) -> int | None:
        """Return a place for a new worker, None if all are taken."""
        for place, count in enumerate(self._counts):
            if count == _FREE:
                self._counts[place] = 0
                return place
        return None

    def free(self, place: int | None) -> None:
        """Give back the place of a worker that has ended."""
        if place is not None:
            self._counts[place] = _FREE

    def count(self, place: int | None, connections: int) -> None:
        """Record how many connections the worker at ``place`` has."""
        if place is not None:
            self._counts[place] = connections

    def is_above_others(self, place: int | None) -> bool:
        """Return whether another worker has fewer connections than the one at ``place``."""
        return place is not None and any(_FREE < count < self._counts[place] for count in self._counts)
