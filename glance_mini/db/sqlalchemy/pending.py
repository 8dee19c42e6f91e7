"""Images that were deleted but can be restored for a while: status ``pending_delete`` (reference 3.6, 4.8).

Nobody sees such an image, and it counts for no quota; its properties, tags, members and locations stay with it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from glance_mini.db.sqlalchemy import image_children, images, usage
from glance_mini.db.sqlalchemy.models import images as image_rows
from glance_mini.db.sqlalchemy.models import pending_deletes
from glance_mini.domain import errors
from glance_mini.domain.image import NO_PROPERTIES, Image
from glance_mini.domain.status import check_transition
from glance_mini.domain.transfer import PendingImage

BATCH = 100

PENDING = "pending_delete"

_OF_IMAGE = pending_deletes.c.image_id == bindparam("image")
_INSERT = insert(pending_deletes)
_STATUS = select(pending_deletes.c.status).where(_OF_IMAGE)
_DELETE = delete(pending_deletes).where(_OF_IMAGE)
_DUE = (
    select(pending_deletes.c.image_id)
    .where(pending_deletes.c.scrub_at <= bindparam("now", type_=pending_deletes.c.scrub_at.type))
    .order_by(pending_deletes.c.scrub_at, pending_deletes.c.image_id)
    .limit(BATCH)
)
_LIST = (
    select(image_rows.c.id, image_rows.c.name, image_rows.c.owner, image_rows.c.size, pending_deletes.c.scrub_at)
    .join_from(pending_deletes, image_rows, image_rows.c.id == pending_deletes.c.image_id)
    .order_by(pending_deletes.c.scrub_at, pending_deletes.c.image_id)
    .limit(bindparam("rows"))
)


def mark(connection: Connection, image_id: str, now: datetime, scrub_at: datetime) -> Image:
    """Move an image to ``pending_delete`` and return it; Forbidden (protected), StatusConflict, NotFound."""
    before = images.lock(connection, image_id)
    images.check_unprotected(before)
    check_transition(before, PENDING)
    after = replace(before, status=PENDING, updated_at=now, deleted_at=now)
    images.update_row(connection, before, after, deleted=True, deleted_at=now)
    connection.execute(_INSERT, {"image_id": image_id, "status": before.status, "scrub_at": scrub_at})
    usage.change(connection, usage.of_image(before), Counter())
    return after


def get(connection: Connection, image_id: str) -> Image:
    """Return an image that can be restored; NotFound."""
    if connection.execute(_STATUS, {"image": image_id}).scalar() is None:
        raise errors.NotFound(kind="deleted image", id=image_id)
    return images.get_deleted(connection, image_id)


def restore(connection: Connection, image_id: str, now: datetime) -> Image:
    """Bring an image back to the status that it had and return it, whatever its project has used since; NotFound."""
    before, status = _take(connection, image_id)
    after = replace(before, status=status, updated_at=now, deleted_at=None)
    images.update_row(connection, before, after, deleted=False, deleted_at=None)
    usage.change(connection, Counter(), usage.of_image(after))
    return after


def finish(connection: Connection, image_id: str, now: datetime) -> Image:
    """Delete an image for good: its locations become pending deletions; return it. NotFound."""
    before, _ = _take(connection, image_id)
    after = replace(before, status="deleted", updated_at=now, deleted_at=now, locations=())
    images.update_row(connection, before, after, deleted_at=now)
    image_children.store_difference(connection, before, replace(after, properties=NO_PROPERTIES, tags=()), now)
    return after


def due(connection: Connection, now: datetime) -> Sequence[str]:
    """Return the ids of up to ``BATCH`` images whose time to be restored has ended, the longest first."""
    return connection.execute(_DUE, {"now": now}).scalars().all()


def list_all(connection: Connection, max_rows: int) -> Sequence[PendingImage]:
    """Return up to ``max_rows`` images that can be restored, those that have the least time left first."""
    return [PendingImage(*row) for row in connection.execute(_LIST, {"rows": max_rows})]


def _take(connection: Connection, image_id: str) -> tuple[Image, str]:
    """Return the image, locked and no longer pending, and the status that it had; NotFound."""
    images.lock_deleted(connection, image_id)
    status = connection.execute(_STATUS, {"image": image_id}).scalar()
    if status is None:
        raise errors.NotFound(kind="deleted image", id=image_id)
    connection.execute(_DELETE, {"image": image_id})
    return images.get_deleted(connection, image_id), status
