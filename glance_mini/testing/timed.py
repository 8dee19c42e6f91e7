"""A data access whose time is that of a test, so that leases end and retries come due when the test says so."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.operations.base import DataCall

R = TypeVar("R")


class TimedAccess(DataAccess):
    """Runs calls on ``access`` at the time that ``clock`` tells (UTC without a zone), which ``access`` closes."""

    def __init__(self, access: DataAccess, clock: Callable[[], datetime]) -> None:
        self._access = access
        self._clock = clock

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        """Return the result of ``call`` at ``now``; None: at the time of the test."""
        return self._access.run(call, now or self._clock(), cause)

    def close(self) -> None:
        """Close the access below."""
        self._access.close()


def seconds_of(clock: Callable[[], datetime]) -> Callable[[], float]:
    """Return the same clock as one that counts seconds."""
    return lambda: clock().timestamp()
