"""Stores events in the database, from where a worker publishes them (DESIGN, notifications are not lost).

Events that tell of a change are stored by the data access in the transaction of the change; here they only get the
form for it. Events that tell of none, such as a download, are a transaction of their own.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from oslo_config import cfg

from glance_mini.db.outbox_interface import OutboxAccess, OutboxEvent
from glance_mini.domain.clock import utcnow
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Event, Publisher, configured_drivers, is_disabled

LOG = logging.getLogger(__name__)


class OutboxPublisher:
    """Takes events from any thread and stores them; has no thread of its own."""

    def __init__(
        self,
        outbox: OutboxAccess,
        metrics: Metrics,
        disabled: frozenset[str],
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        """``disabled``: types or groups left out."""
        self._outbox = outbox
        self._metrics = metrics
        self._disabled = disabled
        self._clock = clock

    def start(self) -> None:
        """Do nothing."""

    def publish(self, event: Event) -> None:
        """Store ``event``, which tells of no change; a database that fails is logged and counted, nothing raised."""
        try:
            if rows := self.rows([event]):
                self._outbox.add_events(rows)
        except Exception as error:
            self._metrics.events.labels("dropped").inc()
            LOG.warning("Event %s was dropped, for it could not be stored: %s", event.type, error)

    def rows(self, events: Iterable[Event]) -> Sequence[OutboxEvent]:
        """Return ``events`` as they are stored, those that are left out excepted."""
        now = self._clock()
        return [
            OutboxEvent(event.type, event.payload, now, event.priority, event.caller, event.image_id)
            for event in events
            if not is_disabled(event.type, self._disabled)
        ]

    def close(self) -> None:
        """Do nothing: what is stored stays."""


def open_publisher(conf: cfg.ConfigOpts, outbox: OutboxAccess, metrics: Metrics) -> Publisher | OutboxPublisher:
    """Return the publisher that ``[notifications] delivery`` names; nothing is stored where no driver is configured."""
    if conf.notifications.delivery == "outbox" and configured_drivers(conf):
        return OutboxPublisher(outbox, metrics, frozenset(conf.disabled_notifications))
    return Publisher.from_config(conf, metrics)
