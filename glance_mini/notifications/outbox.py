"""Stores events in the database; a worker publishes them from there.

The data access layer stores the events of a change in the transaction of the change. Events without a change, such as
a download, have their own transaction.
"""

import logging
from collections.abc import Iterable
from typing import TypeVar

from glance_mini.db.interface import DataAccess, EventRules
from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics
from glance_mini.notifications.event_rules import events_for
from glance_mini.notifications.publisher import is_disabled
from glance_mini.operations.base import DataCall
from glance_mini.operations.outbox import AddEvents

LOG = logging.getLogger(__name__)

R = TypeVar("R")


class OutboxPublisher:
    """Stores events without a change, from any thread; it has no thread of its own."""

    def __init__(self, data: DataAccess, metrics: Metrics, disabled: frozenset[str]) -> None:
        """Store the arguments; ``disabled`` holds event types or groups to leave out."""
        self._data = data
        self._metrics = metrics
        self._disabled = disabled

    def start(self) -> None:
        """Do nothing."""

    def publish(self, event: Event) -> None:
        """Store ``event``; an error of the database is logged and counted but not raised."""
        if is_disabled(event.type, self._disabled):
            return
        try:
            self._data.run(AddEvents((event,)))
        except Exception as error:
            self._metrics.events.labels("dropped").inc()
            LOG.warning("Event %s was dropped because it could not be stored: %s", event.type, error)

    def close(self) -> None:
        """Do nothing: stored events stay."""


def stored_events(disabled: frozenset[str]) -> EventRules:
    """Return the rules for events that are stored with their change, without the ``disabled`` ones."""

    def rules(call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
        return [event for event in events_for(call, result, cause) if not is_disabled(event.type, disabled)]

    return rules
