"""Cluster-wide locks, for work that only one transaction at a time may do because it counts the work of the others.

They are rows of the table ``turns``. The database ends a transaction that is silent for the time set in ``engine``,
which frees the locks of a dead machine.
"""

from sqlalchemy import Connection, bindparam, select

from glance_mini.db.sqlalchemy.models import turns

CLAIM_JOB = "claim_job"
TAKE_EVENTS = "take_events"
CHANGE_METADEFS = "change_metadefs"
ADD_LINK = "add_link"
ADD_UPLOAD_SESSION = "add_upload_session"
VERIFY = "verify"

_WAIT = select(turns.c.name).where(turns.c.name == bindparam("lock")).with_for_update()


def wait(connection: Connection, name: str) -> None:
    """Wait for the lock ``name`` and hold it until the transaction ends."""
    # An SQLite write transaction already excludes all others.
    if connection.dialect.name != "sqlite":
        connection.execute(_WAIT, {"lock": name})
