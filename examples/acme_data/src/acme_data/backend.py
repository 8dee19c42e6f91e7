"""The backend: passes each call to the database and measures its time."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Self, TypeVar

from oslo_config import cfg

from acme_data.measures import Measures
from glance_mini.db.interface import Backend, DataAccess, EventRules, no_events
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.domain.cause import Cause
from glance_mini.operations import DataCall

LOG = logging.getLogger(__name__)

R = TypeVar("R")


class MeasuredDataAccess(Backend):
    """Answers every call from the database of ``[database] connection``; ``measures`` has the cost of the calls.

    A call that fails is measured too. When the backend is closed, it logs the figures.
    """

    name: ClassVar[str] = "measured"

    def __init__(self, access: DataAccess, clock: Callable[[], float] = time.perf_counter) -> None:
        """Measure the calls on ``access``, which is closed with this backend; ``clock`` counts seconds."""
        self.measures = Measures()
        self._access = access
        self._clock = clock

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Self:
        """Return the backend on the database that ``conf`` names; raises ConfigurationError."""
        return cls(SqlDataAccess.from_config(conf, event_rules))

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        """Return what the database returns, or raise what it raises; measures the call in both cases."""
        begin = self._clock()
        try:
            return self._access.run(call, now, cause)
        finally:
            self.measures.add(call.name, self._clock() - begin)

    def close(self) -> None:
        """Close all connections and log the cost of the calls, the most expensive ones first."""
        self._access.close()
        measures = sorted(self.measures.snapshot().items(), key=lambda each: each[1].seconds, reverse=True)
        for name, measure in measures:
            LOG.info("%s: %d times, %.3f seconds.", name, measure.count, measure.seconds)
