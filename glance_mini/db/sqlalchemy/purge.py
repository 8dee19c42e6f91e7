"""Removes images that were deleted long ago; their ids become tombstones and are never used again."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, true

from glance_mini.db.sqlalchemy.models import deletions, image_tombstones, images, pending_deletes, transfers
from glance_mini.operations.records import PurgeImages

_FOUND = (
    select(images.c.id)
    .where(
        images.c.deleted == true(),
        images.c.deleted_at < bindparam("before", type_=images.c.deleted_at.type),
        ~exists().where(deletions.c.image_id == images.c.id),
        ~exists().where(transfers.c.image_id == images.c.id),
        ~exists().where(pending_deletes.c.image_id == images.c.id),
    )
    .order_by(images.c.deleted_at)
    .limit(bindparam("rows"))
    .with_for_update(skip_locked=True, of=images)
)
_BURY = insert(image_tombstones)
_REMOVE = delete(images).where(images.c.id.in_(bindparam("ids", expanding=True)))


def purge(connection: Connection, call: PurgeImages, now: datetime) -> int:
    """Remove images that were deleted long ago; return the number of removed images.

    An image with pending deletions or a transfer, or in the trash, stays. The child rows of an image go with its row.
    """
    values = {"before": now - call.older_than, "rows": call.max_rows}
    ids = connection.execute(_FOUND, values).scalars().all()
    if ids:
        connection.execute(_BURY, [{"id": image_id} for image_id in ids])
        connection.execute(_REMOVE, {"ids": ids})
    return len(ids)


WRITES = {PurgeImages: purge}
