"""The trash: deleted images that can be restored for a while, with the status ``pending_delete`` (api-images-restore).

Only lists of the trash show them, and only their bytes count, as ``image_size_deleted``. They keep their properties,
tags, members and locations until they are restored, or until the job that was added with the deletion, or their owner,
deletes them permanently.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from glance_mini.db.sqlalchemy import base_rows, import_lock, usage
from glance_mini.db.sqlalchemy.images import children, records
from glance_mini.db.sqlalchemy.jobs import rows as job_rows
from glance_mini.db.sqlalchemy.models import images as image_rows
from glance_mini.db.sqlalchemy.models import pending_deletes
from glance_mini.domain import errors
from glance_mini.domain.image import NO_PROPERTIES, Image
from glance_mini.domain.status import PENDING_DELETE, check_transition
from glance_mini.domain.transfer import DeletedImage
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.jobs import AddJob
from glance_mini.operations.records import DeleteFromTrash, ListTrash, MoveToTrash

_OF_IMAGE = pending_deletes.c.image_id == bindparam("image")
_INSERT = insert(pending_deletes)
_PENDING = select(pending_deletes.c.status, pending_deletes.c.scrub_at).where(_OF_IMAGE)
_DELETE = delete(pending_deletes).where(_OF_IMAGE)
_LIST = (
    select(image_rows.c.id, image_rows.c.name, image_rows.c.owner, image_rows.c.size, pending_deletes.c.scrub_at)
    .join_from(pending_deletes, image_rows, image_rows.c.id == pending_deletes.c.image_id)
    .order_by(pending_deletes.c.scrub_at, pending_deletes.c.image_id)
    .limit(bindparam("rows"))
)


def move_in(connection: Connection, call: MoveToTrash, now: datetime) -> Image:
    """Move an image to ``pending_delete``, add the job that deletes it permanently later, and return the image.

    Raises Forbidden (protected), StatusConflict, NotFound.
    """
    before = records.lock(connection, call.image_id)
    records.check_unprotected(before)
    check_transition(before, PENDING_DELETE)
    base_rows.check_unused(connection, before.id)
    after = replace(before, status=PENDING_DELETE, updated_at=now, deleted_at=now)
    records.update_row(connection, before, after, deleted=True, deleted_at=now)
    job = job_rows.add(connection, AddJob(call.job, call.keep), now)
    connection.execute(_INSERT, {"image_id": before.id, "status": before.status, "scrub_at": job.due_at})
    usage.change(connection, usage.of_image(before), usage.of_deleted(before))
    return after


def restore(connection: Connection, call: RestoreImage, now: datetime) -> Image:
    """Restore an image to its previous status and return it; raises LimitExceeded, StatusConflict, NotFound.

    If its import ended in the meantime, its import lock is released.
    """
    try:
        before, status = _take(connection, call.image_id)
    except errors.NotFound:
        if (image := records.find_locked(connection, call.image_id)) is not None:
            raise errors.StatusConflict(id=image.id, status=image.status, wanted=PENDING_DELETE) from None
        raise
    after = replace(before, status=status, updated_at=now, deleted_at=None)
    records.update_row(connection, before, after, deleted=False, deleted_at=None)
    after = import_lock.break_stale_lock(connection, after, now)
    usage.change(connection, usage.of_deleted(before), usage.of_image(after), call.limits)
    return after


def empty(connection: Connection, call: DeleteFromTrash, now: datetime) -> Image:
    """Delete an image permanently, make its locations pending deletions, and return the image.

    Raises NotFound, also if only due images may be deleted and this one is not due.
    """
    before, _ = _take(connection, call.image_id, now if call.only_due else None)
    after = replace(before, status="deleted", updated_at=now, deleted_at=now, locations=())
    records.update_row(connection, before, after, deleted_at=now)
    children.store_difference(connection, before, replace(after, properties=NO_PROPERTIES, tags=()), now)
    usage.change(connection, usage.of_deleted(before), Counter())
    return after


def list_all(connection: Connection, call: ListTrash) -> tuple[DeletedImage, ...]:
    """Return images that can be restored, those with the least time left first."""
    return tuple(DeletedImage(*row) for row in connection.execute(_LIST, {"rows": call.max_rows}))


def _take(connection: Connection, image_id: str, due_by: datetime | None = None) -> tuple[Image, str]:
    """Lock the image, take it out of the trash, and return it with its previous status.

    Raises NotFound, also if the image can be restored after ``due_by``; None disables this check.
    """
    records.lock_deleted(connection, image_id)
    row = connection.execute(_PENDING, {"image": image_id}).first()
    if row is None or (due_by is not None and row.scrub_at > due_by):
        raise errors.NotFound(kind="deleted image", id=image_id)
    connection.execute(_DELETE, {"image": image_id})
    return records.get_deleted(connection, image_id), row.status


QUERIES = {ListTrash: list_all}
WRITES = {MoveToTrash: move_in, RestoreImage: restore, DeleteFromTrash: empty}
