"""Calls of librbd that may wait without end: a thread runs each, and is left when Ceph is silent.

An image that is open for writing has a watch on its header. When the OSD of the header goes away, librbd makes the
watch again and again, and closing the image waits until that succeeds; no time-out of Ceph ends it. The thread that was
left ends when the OSD comes back.
"""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from glance_mini_store import errors
from glance_mini_store.drivers.rbd.outcome import Outcome

LOG = logging.getLogger(__name__)

MOST_LEFT = 64
"""Threads of one cluster that may wait for Ceph after their callers have gone."""

T = TypeVar("T")


class Calls:
    """Runs calls and looks every ``seconds`` whether Ceph still answers."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left: list[_Call[object]] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[], T], look: Callable[[], object]) -> T:
        """Return what ``work`` returns, or raise what it raises.

        ``look`` is called while that lasts, at most once in ``seconds``; if it raises, ``work`` is left and goes on.
        """
        self._refuse_too_many()
        call = _Call(work)
        while not call.is_ended(self._seconds):
            try:
                look()
            except BaseException:
                if not call.is_ended(0):
                    self._remember(call)
                    raise
        return call.result()

    def leave(self, work: Callable[[], object]) -> None:
        """Begin a call that nobody waits for; its errors are logged."""
        self._remember(_Call(work))

    @property
    def left(self) -> int:
        """Return the number of calls that were left and have not ended."""
        with self._lock:
            self._left = [call for call in self._left if not call.is_ended(0)]
            return len(self._left)

    def _refuse_too_many(self) -> None:
        if self.left >= MOST_LEFT:
            raise errors.RemoteServiceUnavailable(reason=f"{MOST_LEFT} calls wait for an OSD of Ceph already")

    def _remember(self, call: "_Call[T]") -> None:
        call.is_left = True
        with self._lock:
            self._left.append(call)  # type: ignore[arg-type]


class _Call(Generic[T]):
    """One call in a thread that does not keep the process from ending."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.is_left = False
        self._outcome: Outcome[T] = Outcome()
        threading.Thread(target=self._run, args=(work,), name="rbd-call", daemon=True).start()

    def is_ended(self, seconds: float) -> bool:
        """Wait that long, and return whether it has ended."""
        return self._outcome.wait(seconds)

    def result(self) -> T:
        """Return what the call returned, or raise what it raised; once."""
        return self._outcome.take()

    def _run(self, work: Callable[[], T]) -> None:
        self._outcome.run(work)
        if self.is_left:
            try:
                self._outcome.take()
            except BaseException as failure:
                LOG.warning("rbd store: a call that nobody waited for failed: %s", failure)
