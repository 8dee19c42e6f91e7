"""The end of the log of events, as one process follows it.

Changes at the same time end in any order, so an event may appear after one with a larger id. An id that was skipped is
looked for again for a while. A *position* is an id up to which nothing is looked for any more: whoever goes on behind
the position of an event misses none, and may get some events twice.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from glance_mini.domain.event_log import LoggedEvent
from glance_mini.operations.base import DataCall
from glance_mini.operations.event_log import ReadEvents, ReadLastEvents

R = TypeVar("R")

RECENT = 1000
"""Events that a process keeps for clients that come back."""

BATCH = 500
"""Events that one read returns."""

GRACE = 10.0
"""Seconds for which a skipped id is looked for. It takes a commit, and an id of a change that failed never comes."""

_MOST_MISSING = 1000


class LogTail:
    """Reads the log by ``run`` (``DataAccess.run``); for one thread."""

    def __init__(
        self,
        run: Callable[[DataCall[tuple[LoggedEvent, ...]]], tuple[LoggedEvent, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the arguments; ``clock`` returns seconds."""
        self._run = run
        self._clock = clock
        self._recent: deque[tuple[int, LoggedEvent]] = deque(maxlen=RECENT)
        self._last = 0
        self._missing: dict[int, float] = {}

    @property
    def position(self) -> int:
        """The id up to which all events are known."""
        return min(self._missing, default=self._last + 1) - 1

    def restart(self) -> None:
        """Forget everything and begin with the last events of the log; raises Unavailable."""
        events = self._run(ReadLastEvents(RECENT))
        self._recent.clear()
        self._missing.clear()
        self._last = max(_number(events[0]) - 1, 0) if events else 0
        for event in events:
            self._note(event)

    def read(self) -> Iterator[LoggedEvent]:
        """Yield the events that are new; ``position`` is then that of the event. Raises Unavailable."""
        while True:
            events = self._run(ReadEvents(self._last, tuple(sorted(self._missing)), BATCH))
            for event in events:
                self._note(event)
                yield event
            self._give_up()
            if len(events) < BATCH:
                return

    def since(self, position: int) -> Sequence[LoggedEvent] | None:
        """Return the known events behind ``position``; None if the log may have had others, or is another one."""
        first = min((number for number, _ in self._recent), default=self._last + 1)
        if not first - 1 <= position <= self._last:
            return None
        return [event for number, event in self._recent if number > position]

    def _note(self, event: LoggedEvent) -> None:
        number = _number(event)
        if number > self._last:
            now = self._clock()
            for skipped in range(max(self._last + 1, number - _MOST_MISSING), number):
                self._missing[skipped] = now
            while len(self._missing) > _MOST_MISSING:
                del self._missing[min(self._missing)]
            self._last = number
        self._missing.pop(number, None)
        self._recent.append((number, event))

    def _give_up(self) -> None:
        before = self._clock() - GRACE
        for number in [number for number, noticed in self._missing.items() if noticed < before]:
            del self._missing[number]


def _number(event: LoggedEvent) -> int:
    assert event.id is not None
    return event.id
