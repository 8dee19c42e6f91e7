"""Rows of staged data and their usage of a project's limits (api-data-stage, api-quotas)."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from glance_mini.db.sqlalchemy import removals
from glance_mini.db.sqlalchemy.models import staged_data
from glance_mini.db.sqlalchemy.usage import Usage
from glance_mini.domain.image import Location
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_STAGE_TOTAL
from glance_mini.domain.staging import StagedData

_OF_IMAGE = staged_data.c.image_id == bindparam("image")
_ONE = select(
    *(staged_data.c[name] for name in ("image_id", "store", "value", "size", "node_url", "created_at", "project_id"))
).where(_OF_IMAGE)
_INSERT = insert(staged_data)
_DELETE = delete(staged_data).where(_OF_IMAGE)


def get(connection: Connection, image_id: str) -> StagedData | None:
    """Return the staged data of the image, None if it has none."""
    row = connection.execute(_ONE, {"image": image_id}).first()
    return None if row is None else StagedData(*row[:-1])


def add(connection: Connection, staged: StagedData, project_id: str | None) -> Usage:
    """Insert ``staged`` and return its usage, which the caller adds to the counts."""
    names = ("image_id", "store", "size", "node_url", "created_at")
    row: dict[str, object] = {name: getattr(staged, name) for name in names}
    connection.execute(_INSERT, row | {"value": staged.url, "project_id": project_id})
    return _usage(project_id, staged)


def remove(connection: Connection, image_id: str) -> tuple[StagedData | None, Usage]:
    """Remove the row; return its data (None if there is no row) and its usage, which the caller subtracts."""
    row = connection.execute(_ONE, {"image": image_id}).first()
    if row is None or not connection.execute(_DELETE, {"image": image_id}).rowcount:
        return None, Usage()
    staged = StagedData(*row[:-1])
    return staged, _usage(row[-1], staged)


def discard(connection: Connection, image_id: str, now: datetime) -> Usage:
    """Turn the staged data, if any, into a pending deletion; return its usage, as ``remove`` does.

    If the data is on a node's own disk, the deletion is for that node.
    """
    staged, used = remove(connection, image_id)
    if staged is not None:
        location = Location(staged.url, {"store": staged.store})
        removals.add(connection, image_id, [location], now, staged.node_url)
    return used


def _usage(project_id: str | None, staged: StagedData) -> Usage:
    return Usage({(project_id, IMAGE_STAGE_TOTAL): staged.size, (project_id, IMAGE_COUNT_UPLOADING): 1})
