"""Stores events in the database, from where a worker publishes them.

Events of a change are stored by the data access in the transaction of the change. Events of no change, such as a
download, are a transaction of their own.
"""

import logging
from collections.abc import Iterable
from typing import Any

from glance_mini.db.interface import DataAccess, EventRules
from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics
from glance_mini.notifications.event_rules import events_for
from glance_mini.notifications.publisher import is_disabled
from glance_mini.operations.base import DataCall
from glance_mini.operations.outbox import AddEvents

LOG = logging.getLogger(__name__)


class OutboxPublisher:
    """Takes events of no change from any thread and stores them; has no thread of its own."""

    def __init__(self, data: DataAccess, metrics: Metrics, disabled: frozenset[str]) -> None:
        """``disabled``: types or groups left out."""
        self._data = data
        self._metrics = metrics
        self._disabled = disabled

    def start(self) -> None:
        """Do nothing."""

    def publish(self, event: Event) -> None:
        """Store ``event``; a database that fails is logged and counted, nothing is raised."""
        if is_disabled(event.type, self._disabled):
            return
        try:
            self._data.run(AddEvents((event,)))
        except Exception as error:
            self._metrics.events.labels("dropped").inc()
            LOG.warning("Event %s was dropped because it could not be stored: %s", event.type, error)

    def close(self) -> None:
        """Do nothing: what is stored stays."""


def stored_events(disabled: frozenset[str]) -> EventRules:
    """Return the rules for events that are stored with their change, without those that are ``disabled``."""

    def rules(call: DataCall[Any], result: Any, cause: Cause | None) -> Iterable[Event]:
        return [event for event in events_for(call, result, cause) if not is_disabled(event.type, disabled)]

    return rules
