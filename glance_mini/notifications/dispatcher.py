"""Publishes stored events in their order, at least once, from a thread of its own (DESIGN, notifications).

Any number of workers may do it at once: the database gives each event to one of them, and a later event of an image to
nobody while somebody has an earlier one. An event is forgotten when the broker has taken it.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from oslo_config import cfg

from glance_mini.db.outbox_interface import OutboxAccess, OutboxEvent
from glance_mini.domain.clock import utcnow
from glance_mini.layers.base import Services
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Event, Send

LOG = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks for new events."""

LONGEST_PAUSE = 16.0
"""Seconds between two attempts while the broker is away, at most."""

CLAIM = timedelta(seconds=60)
"""How long events are ours alone; those of a dispatcher that died are another one's then."""

BATCH = 100

_STOP_SECONDS = 5.0


class Dispatcher:
    """Publishes by ``send``, which raises where the broker did not take an event; ``dispatch`` is one round."""

    def __init__(
        self,
        outbox: OutboxAccess,
        send: Send,
        metrics: Metrics,
        interval: float = INTERVAL,
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self._outbox = outbox
        self._send = send
        self._metrics = metrics
        self._interval = interval
        self._clock = clock
        self._process = uuid.uuid4().hex
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin with rounds, the first at once; once, and after a fork."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the event in hand, which is waited for some seconds; may be called without ``start``."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def dispatch(self) -> int:
        """Publish up to ``BATCH`` events and return how many; raises what ``send`` raises, and Unavailable.

        What was not published is given back, to come again in the same order.
        """
        until = self._clock() + CLAIM
        events = self._outbox.take_events(self._process, self._clock(), until, BATCH)
        sent: list[OutboxEvent] = []
        try:
            for event in events:
                # An event whose claim has ended may be another one's already, with later ones of its image.
                if self._closed.is_set() or self._clock() >= until:
                    break
                self._publish(event)
                sent.append(event)
        finally:
            self._settle(events, len(sent))
        return len(sent)

    def _publish(self, event: OutboxEvent) -> None:
        try:
            self._send(Event(event.type, event.payload, event.priority, event.caller))
        except Exception:
            self._metrics.events.labels("failed").inc()
            raise
        self._metrics.events.labels("sent").inc()

    def _settle(self, events: Sequence[OutboxEvent], sent: int) -> None:
        ids = [event.id for event in events if event.id is not None]
        if ids[:sent]:
            self._outbox.finish_events(ids[:sent])
        if ids[sent:]:
            self._outbox.release_events(self._process, ids[sent:])

    def _run(self) -> None:
        pause = self._interval
        while not self._closed.is_set():
            try:
                if self.dispatch():
                    continue
                pause = self._interval
            except Exception as error:
                LOG.warning("Events wait in the database: %s", error)
                pause = min(2 * pause, LONGEST_PAUSE)
            self._closed.wait(pause)


def open_dispatcher(conf: cfg.ConfigOpts, services: Services) -> Dispatcher:
    """Return a dispatcher to the broker that ``conf`` names; call it in the process that publishes."""
    # Nobody else needs oslo.messaging.
    from glance_mini.notifications.confirmed import open_confirmed

    return Dispatcher(services.outbox, open_confirmed(conf), services.metrics)
