"""Images that were deleted but can be restored for a while: status ``pending_delete`` (reference 3.6, 4.8).

Only lists of such images show one, and it counts for no quota; its properties, tags, members and locations stay with
it, until it is restored or the job that was added with its deletion takes it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select

from glance_mini.db.sqlalchemy import import_lock, usage
from glance_mini.db.sqlalchemy.images import children, records, rows, visibility
from glance_mini.db.sqlalchemy.jobs import rows as job_rows
from glance_mini.db.sqlalchemy.models import images as image_rows
from glance_mini.db.sqlalchemy.models import pending_deletes
from glance_mini.domain import errors
from glance_mini.domain.image import NO_PROPERTIES, SCRUB_AT_PROPERTY, Image
from glance_mini.domain.job import Job
from glance_mini.domain.query import Scope
from glance_mini.domain.quota import Limits
from glance_mini.domain.status import PENDING_DELETE, check_transition
from glance_mini.domain.transfer import PendingImage

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


def mark(connection: Connection, image_id: str, now: datetime, job: Job) -> Image:
    """Move an image to ``pending_delete`` and return it; ``job`` is added, which deletes it for good when it is due.

    Forbidden (protected), StatusConflict, NotFound.
    """
    before = records.lock(connection, image_id)
    records.check_unprotected(before)
    check_transition(before, PENDING_DELETE)
    after = replace(before, status=PENDING_DELETE, updated_at=now, deleted_at=now)
    records.update_row(connection, before, after, deleted=True, deleted_at=now)
    connection.execute(_INSERT, {"image_id": image_id, "status": before.status, "scrub_at": job.due_at})
    job_rows.add(connection, job)
    usage.change(connection, usage.of_image(before), Counter())
    return after


def get(connection: Connection, image_id: str, scope: Scope) -> Image:
    """Return an image that ``scope`` may restore; NotFound."""
    statement = _get_statement(scope.is_admin, scope.project_id is not None)
    row = connection.execute(statement, {"image": image_id, "project": scope.project_id}).first()
    if row is None:
        raise errors.NotFound(kind="image", id=image_id)
    return rows.to_image(row)


def to_image(row: Any) -> Image:
    """Return the image of a row of ``image_columns`` and its ``scrub_at``, which is shown as a property."""
    image = rows.to_image(row)
    until = f"{row.scrub_at.isoformat(timespec='seconds')}Z"
    return replace(image, properties={**image.properties, SCRUB_AT_PROPERTY: until})


def restore(connection: Connection, image_id: str, now: datetime, limits: Limits) -> Image:
    """Bring an image back to the status that it had and return it; LimitExceeded, NotFound.

    An import that ended meanwhile holds it no longer.
    """
    before, status = _take(connection, image_id)
    after = replace(before, status=status, updated_at=now, deleted_at=None)
    records.update_row(connection, before, after, deleted=False, deleted_at=None)
    after = import_lock.without_ended_holder(connection, after, now)
    usage.change(connection, Counter(), usage.of_image(after), limits)
    return after


def finish(connection: Connection, image_id: str, now: datetime, due_by: datetime | None) -> Image:
    """Delete an image for good: its locations become pending deletions; return it.

    NotFound, also where it can be restored for longer than ``due_by``; None: however long that is.
    """
    before, _ = _take(connection, image_id, due_by)
    after = replace(before, status="deleted", updated_at=now, deleted_at=now, locations=())
    records.update_row(connection, before, after, deleted_at=now)
    children.store_difference(connection, before, replace(after, properties=NO_PROPERTIES, tags=()), now)
    return after


def list_all(connection: Connection, max_rows: int) -> Sequence[PendingImage]:
    """Return up to ``max_rows`` images that can be restored, those that have the least time left first."""
    return [PendingImage(*row) for row in connection.execute(_LIST, {"rows": max_rows})]


def _take(connection: Connection, image_id: str, due_by: datetime | None = None) -> tuple[Image, str]:
    """Return the image, locked and no longer pending, and the status that it had; NotFound, see ``finish``."""
    records.lock_deleted(connection, image_id)
    row = connection.execute(_PENDING, {"image": image_id}).first()
    if row is None or (due_by is not None and row.scrub_at > due_by):
        raise errors.NotFound(kind="deleted image", id=image_id)
    connection.execute(_DELETE, {"image": image_id})
    return records.get_deleted(connection, image_id), row.status


@lru_cache
def _get_statement(is_admin: bool, has_project: bool) -> Select[Any]:
    return select(*rows.image_columns()).where(
        image_rows.c.id == bindparam("image"),
        image_rows.c.status == PENDING_DELETE,
        visibility.may_restore(is_admin, has_project),
    )
