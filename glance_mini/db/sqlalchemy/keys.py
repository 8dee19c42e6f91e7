"""Keys of calls that must not be done twice, and the results of these calls.

The key is inserted first in the transaction of its call. A second transaction with the same key waits there for the end
of the first one, and then finds its key and its result.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection, delete, select, update

from glance_mini.db.sqlalchemy.missing import insert_missing
from glance_mini.db.sqlalchemy.models import call_keys
from glance_mini.operations.base import DataCall
from glance_mini.operations.once import PurgeKeys

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """A call that was done before, and its result."""

    result: R


def claim(connection: Connection, key: str, call: DataCall[R], now: datetime) -> Done[R] | None:
    """Return what ``call`` has done before with ``key``; None if nothing, and then ``key`` is taken."""
    if insert_missing(connection, call_keys, {"id": key, "created_at": now, "result": ""}):
        return None
    # Only a service with a registry needs the format.
    from glance_mini.db import wire

    text = connection.execute(select(call_keys.c.result).where(call_keys.c.id == key)).scalar_one()
    return Done(wire.decode(text.encode(), wire.result_type(call)))


def record(connection: Connection, key: str, result: object) -> None:
    """Record the result of the call with ``key``."""
    from glance_mini.db import wire

    text = wire.encode(result).decode()
    connection.execute(update(call_keys).where(call_keys.c.id == key).values(result=text))


def purge(connection: Connection, call: PurgeKeys, now: datetime) -> int:
    """Remove old keys."""
    old = select(call_keys.c.id).where(call_keys.c.created_at < now - call.older_than).limit(call.max_rows)
    ids = list(connection.scalars(old))
    return connection.execute(delete(call_keys).where(call_keys.c.id.in_(ids))).rowcount if ids else 0


WRITES = {PurgeKeys: purge}
