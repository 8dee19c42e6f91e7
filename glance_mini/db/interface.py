"""The interface of the data access layer: one method that takes frozen calls and returns domain values.

The calls are the subclasses of ``DataCall`` in ``operations``. A backend answers them from a database or over a
network; ``glance_mini.testing.data_access`` is the test suite for backends.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Protocol, Self, TypeVar

from oslo_config import cfg

from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event
from glance_mini.operations.base import DataCall

R = TypeVar("R")


class EventRules(Protocol):
    """Returns the events of a call. It must be pure, because a transaction is repeated after a conflict."""

    def __call__(self, call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
        """Return the events of ``call``; its ``result`` is about to be committed."""
        ...


def no_events(call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
    """Return no events."""
    return ()


class DataAccess(ABC):
    """All reads and writes of the service; thread-safe."""

    @abstractmethod
    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        """Return the result of ``call``, which is one transaction: if it raises, nothing was written.

        Only tests set ``now`` (UTC without a zone); None means the time of the database server. ``cause`` describes the
        caller for the events. Raises the errors of the call, and Unavailable: then a write may have happened.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""


class Backend(DataAccess):
    """A data access that ``[database] data_access`` can name; it is an entry point of ``glance_mini.data_access``."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_config(cls, conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Self:
        """Return the backend that ``conf`` describes; it connects at its first call. Raises ConfigurationError.

        The events that ``event_rules`` returns for a call are stored in the transaction of the call.
        """
