"""Operations on the log of events: a client follows it, the service reads it, and old events are removed."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.event_log import LoggedEvent
from glance_mini.domain.query import Scope
from glance_mini.operations.base import WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True, slots=True)
class Watcher:
    """What the layers allow a caller to follow: what ``scope`` may see, and tasks without an image or not.

    ``asks_rules``: the rules may hide an image that the scope may see, so each image is asked for.
    """

    scope: Scope
    sees_tasks: bool = False
    asks_rules: bool = False


@dataclass(frozen=True)
class WatchEvents(Operation[Watcher]):
    """Return what the caller may follow; the layers set all fields."""

    name: ClassVar[str] = "watch_events"
    writes: ClassVar[bool] = False
    scope: Scope = field(default_factory=Scope)
    sees_tasks: bool = False
    asks_rules: bool = False


@dataclass(frozen=True)
class ReadEvents(DataQuery[tuple[LoggedEvent, ...]]):
    """Return up to ``max_rows`` events with ids above ``after`` or among ``missing``, in the order of their ids."""

    name: ClassVar[str] = "read_events"
    after: int
    missing: tuple[int, ...]
    max_rows: int


@dataclass(frozen=True)
class ReadLastEvents(DataQuery[tuple[LoggedEvent, ...]]):
    """Return the last ``max_rows`` events in the order of their ids."""

    name: ClassVar[str] = "read_last_events"
    max_rows: int


@dataclass(frozen=True)
class RemoveEvents(DataCall[int]):
    """Remove up to ``max_rows`` events that are older than ``age``, the oldest first, and return their number.

    The last event stays, so that a reader can tell whether it has missed any.
    """

    name: ClassVar[str] = "remove_events"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    age: timedelta
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (WatchEvents, ReadEvents, ReadLastEvents, RemoveEvents)
