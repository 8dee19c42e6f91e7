"""Data calls about stored events: appended, given out in order, forgotten when published."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.event import Event
from glance_mini.operations.base import DataCall, DataQuery, Operation


@dataclass(frozen=True)
class AddEvents(DataCall[None]):
    """Store events about no change, such as a download or a refusal."""

    name: ClassVar[str] = "add_events"
    events: tuple[Event, ...]


@dataclass(frozen=True)
class TakeEvents(DataCall[tuple[Event, ...]]):
    """Return up to ``max_rows`` events in their order, given to ``process`` alone for ``claim``.

    An event waits while an earlier one of its image is given to somebody, so the order per image is kept.
    """

    name: ClassVar[str] = "take_events"
    process: str
    claim: timedelta
    max_rows: int


@dataclass(frozen=True)
class FinishEvents(DataCall[None]):
    """Forget events that were published."""

    name: ClassVar[str] = "finish_events"
    may_repeat: ClassVar[bool] = True
    event_ids: tuple[int, ...]


@dataclass(frozen=True)
class ReleaseEvents(DataCall[None]):
    """Give events back that could not be published; those that are another process's now stay."""

    name: ClassVar[str] = "release_events"
    may_repeat: ClassVar[bool] = True
    process: str
    event_ids: tuple[int, ...]


@dataclass(frozen=True)
class CountEvents(DataQuery[int]):
    """Return how many events wait for their publication."""

    name: ClassVar[str] = "count_events"


OPERATIONS: tuple[type[Operation[object]], ...] = (AddEvents, TakeEvents, FinishEvents, ReleaseEvents, CountEvents)
