"""Publishes stored events in their order, at least once, in its own thread (api-notifications-delivery).

Any number of workers may do it at once: the database gives each event to one of them, and gives out no later event of
an image while one of them has an earlier one. An event is deleted when the broker has accepted it.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Send
from glance_mini.operations.outbox import FinishEvents, ReleaseEvents, TakeEvents

INTERVAL = 1.0
"""Seconds between two polls for new events."""

LONGEST_PAUSE = 16.0
"""Maximum seconds between two attempts while the broker is unreachable."""

CLAIM = timedelta(seconds=60)
"""How long one dispatcher alone holds events; afterwards another one may take them."""

BATCH = 100


class Dispatcher:
    """Publishes by ``send``, which raises if the broker did not accept an event; ``dispatch`` is one round."""

    def __init__(
        self,
        data: DataAccess,
        send: Send,
        metrics: Metrics,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the arguments; ``clock`` returns seconds."""
        self._data = data
        self._send = send
        self._metrics = metrics
        self._interval = interval
        self._clock = clock
        self._process = uuid.uuid4().hex
        self._wait = interval
        self._background = Background("dispatcher", self._work, lambda: self._wait, "Stored events were not published")

    def start(self) -> None:
        """Start the thread; the first round begins at once. Call it once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop after the current event and wait some seconds for it; may be called without ``start``."""
        self._background.close()

    def dispatch(self) -> int:
        """Publish up to ``BATCH`` events and return their number; raises the errors of ``send``, and Unavailable.

        Events that were not published are released and come again in the same order.
        """
        until = self._clock() + CLAIM.total_seconds()
        events = self._data.run(TakeEvents(self._process, CLAIM, BATCH))
        sent: list[Event] = []
        try:
            for event in events:
                # After the claim has expired, another process may already have this event and later ones of its image.
                if self._background.is_stopping or self._clock() >= until:
                    break
                self._publish(event)
                sent.append(event)
        finally:
            self._settle(events, len(sent))
        return len(sent)

    def _publish(self, event: Event) -> None:
        try:
            self._send(event)
        except Exception:
            self._metrics.events.labels("failed").inc()
            raise
        self._metrics.events.labels("sent").inc()

    def _settle(self, events: Sequence[Event], sent: int) -> None:
        ids = tuple(event.id for event in events if event.id is not None)
        if ids[:sent]:
            self._data.run(FinishEvents(ids[:sent]))
        if ids[sent:]:
            self._data.run(ReleaseEvents(self._process, ids[sent:]))

    def _work(self) -> None:
        try:
            while not self._background.is_stopping and self.dispatch():
                pass
        except Exception:
            self._wait = min(2 * self._wait, LONGEST_PAUSE)
            raise
        self._wait = self._interval
