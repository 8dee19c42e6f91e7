"""Runs several calls on an image at once, each in a thread of Python.

librbd has requests of its own that end in a thread of Ceph, and Python is not safe there: it frees what it finds
unused in whichever thread it runs, and an image or a connection that ends in a thread of Ceph ends the process.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from glance_mini_store.drivers.rbd.outcome import Outcome

_LINGER = 0.2
"""Seconds that a thread waits for its next call."""

T = TypeVar("T")


class Requests(Generic[T]):
    """The calls of one transfer; its threads, ``most`` of them, do not keep the process from ending."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: deque[tuple[Outcome[T], Callable[[], T]]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0

    def begin(self, call: Callable[[], T]) -> Outcome[T]:
        """Return what will be the outcome of a call; calls begin in their order."""
        outcome: Outcome[T] = Outcome()
        with self._changed:
            self._calls.append((outcome, call))
            if self._idle >= len(self._calls):
                self._changed.notify()
            elif self._threads < self._most:
                threading.Thread(target=self._run, name="rbd-request", daemon=True).start()
                self._threads += 1
        return outcome

    def _run(self) -> None:
        while (found := self._next()) is not None:
            outcome, call = found
            outcome.run(call)
            # What the call holds is not kept while this thread waits.
            del found, outcome, call

    def _next(self) -> tuple[Outcome[T], Callable[[], T]] | None:
        """Return the next call, None if this thread is to end."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls, _LINGER)
            self._idle -= 1
            if self._calls:
                return self._calls.popleft()
            self._threads -= 1
            return None
