"""What the notifications ask of their data: events are stored with the change they tell of, and published later.

Times are UTC without a zone; each method is one transaction. Answered by ``glance_mini.db.sqlalchemy`` beside
``interface.DataAccess``, on the same database.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """One notification on its way; ``priority`` and ``caller`` as the publisher's events have them.

    ``image_id`` is the image whose events keep their order, None where order does not matter. ``id`` is None until
    the event is stored.
    """

    type: str
    payload: Mapping[str, object]
    created_at: datetime
    priority: str = "info"
    caller: Mapping[str, object] = field(default_factory=dict)
    image_id: str | None = None
    id: int | None = None


EventsOf = Callable[[Any], Iterable[OutboxEvent]]
"""Makes the events that tell of a write from its result; pure, for a write that conflicts is begun anew."""


class TellsEvents(ABC):
    """A data access whose writes can be told of."""

    @abstractmethod
    def with_events(self, events_of: EventsOf) -> Self:
        """Return a copy on the same database whose writes store the events of their results in their transaction.

        Either both are there or neither is. Costs next to nothing: made anew for each request.
        """


class OutboxAccess(ABC):
    """All reads and writes of stored events."""

    @abstractmethod
    def add_events(self, events: Iterable[OutboxEvent]) -> None:
        """Store events that tell of no write, such as a download or a refusal."""

    @abstractmethod
    def take_events(
        self, process: str, now: datetime, claimed_until: datetime, max_rows: int
    ) -> Sequence[OutboxEvent]:
        """Return up to ``max_rows`` events in their order, until ``claimed_until`` given to ``process`` only.

        An event waits while an earlier one of its image is given to somebody, so the order per image is kept.
        """

    @abstractmethod
    def finish_events(self, event_ids: Collection[int]) -> None:
        """Forget events that were published."""

    @abstractmethod
    def release_events(self, process: str, event_ids: Collection[int]) -> None:
        """Give events back that could not be published; those that are another process's now stay."""

    @abstractmethod
    def count_events(self) -> int:
        """Return how many events wait for their publication."""
