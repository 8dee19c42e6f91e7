"""Turns: work that one transaction at a time does in the whole cluster, because it counts what others have just done.

Whoever dies in its turn is put out by the database after the time set in ``engine``.
"""

from sqlalchemy import Connection, bindparam, select

from glance_mini.db.sqlalchemy.models import turns

CLAIM_JOB = "claim_job"
TAKE_EVENTS = "take_events"

_WAIT = select(turns.c.name).where(turns.c.name == bindparam("turn")).with_for_update()


def wait(connection: Connection, name: str) -> None:
    """Return when nobody else has the turn ``name``, which is ours until the transaction ends."""
    # An SQLite transaction is alone anyway.
    if connection.dialect.name != "sqlite":
        connection.execute(_WAIT, {"turn": name})
