"""Limits how long a fetch waits for a server: for the next bytes, at a minimum rate, and in all.

Only the time spent waiting counts towards the rate, so a slow reader does not affect it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from glance_mini_store.errors import FetchBroken, FetchRefused


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``total`` and ``idle`` in seconds; ``rate`` in bytes per second over ``window`` seconds, 0 allows any rate."""

    total: float = 86400
    idle: float = 60
    rate: int = 1024
    window: float = 60


class RateLimit:
    """The limits of one fetch for all its connections; the time starts when it is created."""

    def __init__(self, timeouts: Timeouts, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._timeouts = timeouts
        self._end = clock() + timeouts.total
        self._waited = 0.0
        self._received = 0

    def timeout(self) -> float:
        """Return how many seconds the next wait may take, more than 0; raises FetchRefused after the total time."""
        left = self._end - self.clock()
        if left <= 0:
            raise FetchRefused(reason=f"The download took longer than {self._timeouts.total:g} seconds.")
        return min(left, self._timeouts.idle)

    def note(self, count: int, seconds: float) -> None:
        """Count ``count`` bytes that came after waiting ``seconds``; raises FetchBroken if the rate is too low."""
        self._received += count
        self._waited += seconds
        if self._waited < self._timeouts.window:
            return
        if self._received < self._timeouts.rate * self._waited:
            raise FetchBroken(reason=f"The server sent less than {self._timeouts.rate} bytes per second.")
        self._received, self._waited = 0, 0.0
