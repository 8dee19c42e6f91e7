"""Publishes the events of data calls after the calls, if events are not stored with the change."""

from datetime import datetime
from typing import TypeVar

from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.notifications.event_rules import events_for
from glance_mini.notifications.publisher import EventPublisher
from glance_mini.operations.base import DataCall

R = TypeVar("R")


class PublishingAccess(DataAccess):
    """Runs calls on ``access`` and gives the events of writing calls to ``publisher``."""

    def __init__(self, access: DataAccess, publisher: EventPublisher) -> None:
        self.access = access
        self._publisher = publisher

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        """Return the result of ``call``; its events are published after its commit."""
        result = self.access.run(call, now, cause)
        if call.writes:
            for event in events_for(call, result, cause):
                self._publisher.publish(event)
        return result

    def close(self) -> None:
        """Close ``access``."""
        self.access.close()
