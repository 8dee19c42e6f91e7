"""Data calls on stored events: they are appended, claimed in order, and deleted after their publication."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.event import Event
from glance_mini.operations.base import WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class AddEvents(DataCall[None]):
    """Store events without a change, such as a download or a refusal."""

    name: ClassVar[str] = "add_events"
    events: tuple[Event, ...]


@dataclass(frozen=True)
class TakeEvents(DataCall[tuple[Event, ...]]):
    """Return up to ``max_rows`` events in their order, held by ``process`` alone for ``claim``.

    An event waits while another process holds an earlier one of its image, so the order per image is kept.
    """

    name: ClassVar[str] = "take_events"
    callers: ClassVar[frozenset[Role]] = WORKER
    process: str
    claim: timedelta
    max_rows: int


@dataclass(frozen=True)
class FinishEvents(DataCall[None]):
    """Delete events that were published."""

    name: ClassVar[str] = "finish_events"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    event_ids: tuple[int, ...]


@dataclass(frozen=True)
class ReleaseEvents(DataCall[None]):
    """Release events that could not be published; events that another process now holds stay claimed."""

    name: ClassVar[str] = "release_events"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    process: str
    event_ids: tuple[int, ...]


@dataclass(frozen=True)
class CountEvents(DataQuery[int]):
    """Return the number of events that wait for their publication."""

    name: ClassVar[str] = "count_events"


OPERATIONS: tuple[type[Operation[object]], ...] = (AddEvents, TakeEvents, FinishEvents, ReleaseEvents, CountEvents)
