"""Locks of the whole cluster, for work that one transaction at a time may do because it counts what others have done.

They are rows of the table ``turns``. The database ends a transaction that says nothing for the time set in ``engine``,
so the lock of a machine that died is free then.
"""

from sqlalchemy import Connection, bindparam, select

from glance_mini.db.sqlalchemy.models import turns

CLAIM_JOB = "claim_job"
TAKE_EVENTS = "take_events"

_WAIT = select(turns.c.name).where(turns.c.name == bindparam("lock")).with_for_update()


def wait(connection: Connection, name: str) -> None:
    """Return when the lock ``name`` is ours, until the transaction ends."""
    # An SQLite transaction is alone anyway.
    if connection.dialect.name != "sqlite":
        connection.execute(_WAIT, {"lock": name})
