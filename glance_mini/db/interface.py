"""What the service asks of its data: one door, through which frozen calls go in and domain values come out.

The calls stand in ``operations``: everything that is a ``DataCall``. A backend answers them on a database or over a
network; ``glance_mini.testing.data_access`` is the suite by which it proves itself.
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
    """Decides which events a call causes; pure, because a transaction that conflicts is begun anew."""

    def __call__(self, call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
        """Return the events of ``call``, whose ``result`` is about to be committed."""
        ...


def no_events(call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
    """Return nothing: events are not stored."""
    return ()


class DataAccess(ABC):
    """All reads and writes of the service; safe to share by threads."""

    @abstractmethod
    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        """Return the result of ``call``, which is one transaction: where it raises, nothing was written.

        ``now`` (UTC without a zone) is given by tests alone; None: the time of the database server. ``cause`` is what
        the events say of the caller. Raises what the call says, and Unavailable: then a write may have happened.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""


class Backend(DataAccess):
    """A data access that ``[database] data_access`` can name, by an entry point of ``glance_mini.data_access``."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_config(cls, conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Self:
        """Return the backend that ``conf`` describes; it connects at its first call. Raises ConfigurationError.

        The events that ``event_rules`` makes of a call are stored in the transaction of the call.
        """
