"""Removes the rows of a table whose ``expires_at`` is over. Any number of workers may do it at once."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from glance_mini.db.sqlalchemy.dynamic import AnyTable


def removal_from(table: AnyTable) -> Callable[[Connection, datetime, int], int]:
    """Return a function that deletes expired rows of ``table``, which has ``id`` and ``expires_at``.

    It deletes up to so many rows, those that expired first, and returns their number.
    """
    row = table.c
    find = (
        select(row.id)
        .where(row.expires_at <= bindparam("now", type_=row.expires_at.type))
        .order_by(row.expires_at)
        .limit(bindparam("rows"))
        .with_for_update(skip_locked=True)
    )
    delete_chosen = delete(table).where(row.id.in_(bindparam("ids", expanding=True)))

    def remove(connection: Connection, now: datetime, rows: int) -> int:
        ids = connection.execute(find, {"now": now, "rows": rows}).scalars().all()
        if ids:
            connection.execute(delete_chosen, {"ids": ids})
        return len(ids)

    return remove
