"""The data access backend for SQL databases: finds the function of a call and runs it in a read or a transaction.

Each module of this package has a table ``QUERIES`` {call: function of a connection} for reads, and a table
``WRITES`` {call: function of a connection and the time} for writes. ``SINGLE_WRITES`` {call: function of a connection
and the time or None} are for writes that one statement of PostgreSQL may do without a transaction.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, Self, TypeVar, cast

from oslo_config import cfg
from sqlalchemy import Connection, Engine

from glance_mini.db.interface import Backend, EventRules, no_events
from glance_mini.db.sqlalchemy import (
    bases,
    blocks,
    cache,
    event_log,
    imports,
    issued_tokens,
    keys,
    links,
    members,
    migration,
    outbox,
    ping,
    project_limits,
    purge,
    removals,
    staging,
    transfers,
    trash,
    upload_sessions,
    usage,
    verification,
)
from glance_mini.db.sqlalchemy.database import Database
from glance_mini.db.sqlalchemy.engine import open_engine
from glance_mini.db.sqlalchemy.images import listing as image_listing
from glance_mini.db.sqlalchemy.images import records, single
from glance_mini.db.sqlalchemy.jobs import claims, ends, rows
from glance_mini.db.sqlalchemy.jobs import listing as job_listing
from glance_mini.db.sqlalchemy.metadefs import associations, loading, namespaces, objects, properties, tags, types
from glance_mini.db.sqlalchemy.metadefs import migration as metadef_migration
from glance_mini.domain.cause import Cause
from glance_mini.operations.base import DataCall
from glance_mini.operations.once import RunOnce

R = TypeVar("R")

Look = Callable[[Connection, DataCall[object], datetime], bool]


class Query(Protocol):
    """A function that answers a call that only reads."""

    def __call__(self, connection: Connection, call: DataCall[R], /) -> R: ...


class Write(Protocol):
    """A function that answers a call in a transaction that began at ``now``."""

    def __call__(self, connection: Connection, call: DataCall[R], now: datetime, /) -> R: ...


class SingleWrite(Protocol):
    """A function that answers a call by one statement that sets the time, ``now`` or the server's, or returns None."""

    def __call__(self, connection: Connection, call: DataCall[R], now: datetime | None, /) -> R | None: ...


_MODULES = (
    ping,
    records,
    single,
    image_listing,
    bases,
    blocks,
    trash,
    members,
    links,
    issued_tokens,
    transfers,
    upload_sessions,
    removals,
    staging,
    imports,
    rows,
    claims,
    ends,
    job_listing,
    outbox,
    event_log,
    migration,
    usage,
    project_limits,
    purge,
    namespaces,
    types,
    associations,
    properties,
    objects,
    tags,
    loading,
    cache,
    metadef_migration,
    keys,
    verification,
)

QUERIES: Mapping[type[DataCall[object]], Query] = {
    call: query for module in _MODULES for call, query in getattr(module, "QUERIES", {}).items()
}

WRITES: Mapping[type[DataCall[object]], Write] = {
    call: write for module in _MODULES for call, write in getattr(module, "WRITES", {}).items()
}

SINGLE_WRITES: Mapping[type[DataCall[object]], SingleWrite] = {
    call: write for module in _MODULES for call, write in getattr(module, "SINGLE_WRITES", {}).items()
}

TIMED_QUERIES: Mapping[type[DataCall[object]], Write] = {
    call: query for module in _MODULES for call, query in getattr(module, "TIMED_QUERIES", {}).items()
}

# An idle worker costs one read and waits for no lock.
_LOOKS: Mapping[type[DataCall[object]], tuple[Look, object]] = {
    call: look for module in _MODULES for call, look in getattr(module, "LOOKS", {}).items()
}


class SqlDataAccess(Backend):
    """Answers calls from the database of ``engine``, whose tables ``schema.sync`` has prepared; thread-safe."""

    name = "sqlalchemy"

    def __init__(
        self,
        engine: Engine,
        conflict_retries: int = 20,
        event_rules: EventRules = no_events,
        *,
        keeps_log: bool = True,
    ) -> None:
        """Store the arguments; ``conflict_retries`` is how often a transaction is repeated after a conflict.

        ``keeps_log``: whether changes are stored in the log of events.
        """
        self.engine = engine
        self._database = Database(engine, conflict_retries, keeps_log=keeps_log)
        self._event_rules = event_rules

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Self:
        """Return the access to ``[database] connection``; raises ConfigurationError if that database is unusable."""
        return cls(open_engine(conf), conf.database.db_max_retries, event_rules, keeps_log=conf.events.log)

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        key = None
        if isinstance(call, RunOnce):
            key, call = call.key, call.call
        query = QUERIES.get(type(call))
        if query is not None:
            return self._database.read(query, call)
        if (look := _LOOKS.get(type(call))) and not self._database.read_now(look[0], call, now):
            return cast(R, look[1])
        if timed := TIMED_QUERIES.get(type(call)):
            return self._database.read_now(timed, call, now)
        single = SINGLE_WRITES.get(type(call)) if key is None and self._event_rules is no_events else None
        if single and (result := self._database.write_single(single, call, now)) is not None:
            return result
        write = WRITES[type(call)]

        def work(connection: Connection, time: datetime) -> R:
            if key is not None and (done := keys.claim(connection, key, call, time)) is not None:
                return done.result
            result = write(connection, call, time)
            outbox.add(connection, self._event_rules(call, result, cause), time)
            if key is not None:
                keys.record(connection, key, result)
            return result

        return self._database.write(work, now)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
