"""One image: read, written and locked (reference 4.1, 4.2, 4.7, 4.8).

Each function runs inside a transaction of the caller. A write locks the row of the image first, by a statement of its
own: PostgreSQL answers the sub-selects of a locking statement from before it waited.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from oslo_db.exception import DBDuplicateEntry
from sqlalchemy import Connection, Select, bindparam, exists, false, insert, select, update

from glance_mini.db.sqlalchemy import deletions, staged_rows, usage
from glance_mini.db.sqlalchemy.images import children, visibility
from glance_mini.db.sqlalchemy.images.rows import BASE_FIELDS, base_values, image_columns, to_image
from glance_mini.db.sqlalchemy.models import image_tombstones, images
from glance_mini.domain import changes, errors
from glance_mini.domain.image import NO_PROPERTIES, Image
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.status import IN_TRANSFER, PENDING_DELETE, check_transition
from glance_mini.operations.images import CreateImage, UpdateImage
from glance_mini.operations.records import ListDeletions, LoadImage, MarkDeleted, SetStatus, UndoDeletion

ID_LENGTH = 36

_LOCK = select(images.c.id).where(images.c.id == bindparam("image"), images.c.deleted == false()).with_for_update()
_LOCK_DELETED = select(images.c.id).where(images.c.id == bindparam("image")).with_for_update()
_GET_ANY = select(*image_columns()).where(images.c.id == bindparam("image"))
_UPDATE = update(images).where(images.c.id == bindparam("image"))
_INSERT = insert(images).from_select(
    BASE_FIELDS,
    select(*(bindparam(name, type_=images.c[name].type) for name in BASE_FIELDS)).where(
        ~exists().where(image_tombstones.c.id == bindparam("id"))
    ),
)


def load(connection: Connection, call: LoadImage) -> Image:
    """Return the image that ``call`` names; NotFound."""
    row, scope = None, call.scope
    if len(call.image_id) <= ID_LENGTH:
        kind = scope.is_admin, scope.project_id is not None
        values = {"image": call.image_id, "project": scope.project_id}
        row = connection.execute(_get_statement(*kind), values).first()
        if row is None and call.of_deleted:
            row = connection.execute(_restorable_statement(*kind), values).first()
    if row is None:
        raise errors.NotFound(kind="image", id=call.image_id)
    return to_image(row)


def get(connection: Connection, image_id: str) -> Image:
    """Return the image, whoever may see it; NotFound."""
    return load(connection, LoadImage(image_id))


def lock(connection: Connection, image_id: str) -> Image:
    """Return the image as it is now, and keep others from changing it until the transaction ends; NotFound."""
    # An SQLite transaction holds the whole database already.
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK, {"image": image_id})
    return get(connection, image_id)


def find_locked(connection: Connection, image_id: str) -> Image | None:
    """Return the image as ``lock`` does, None where there is none."""
    try:
        return lock(connection, image_id)
    except errors.NotFound:
        return None


def lock_deleted(connection: Connection, image_id: str) -> None:
    """Keep others from changing an image, deleted or not, until the transaction ends."""
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK_DELETED, {"image": image_id})


def get_deleted(connection: Connection, image_id: str) -> Image:
    """Return an image that may be deleted, with what is left of it; it exists."""
    return to_image(connection.execute(_GET_ANY, {"image": image_id}).one())


def create(connection: Connection, call: CreateImage, now: datetime) -> Image:
    """Insert an image and count it; Duplicate where the id is or ever was used, LimitExceeded."""
    base: dict[str, Any] = {**call.base, "tags": tuple(cast(Iterable[str], call.base.get("tags", ())))}
    image = Image(
        id=call.id, created_at=now, updated_at=now, properties=call.properties, locations=call.locations, **base
    )
    return insert_image(connection, image, call.limits)


def insert_image(connection: Connection, image: Image, limits: Limits) -> Image:
    """Insert ``image`` as it is and count it; Duplicate, LimitExceeded."""
    try:
        inserted = connection.execute(_INSERT, base_values(image)).rowcount
    except DBDuplicateEntry as error:
        raise errors.Duplicate(kind="Image", id=image.id) from error
    if not inserted:
        raise errors.Duplicate(kind="Image", id=image.id)
    nothing = replace(image, properties=NO_PROPERTIES, tags=(), locations=())
    children.store_difference(connection, nothing, image, image.created_at)
    stored = get(connection, image.id) if image.locations else image
    usage.change(connection, Counter(), usage.of_image(stored), limits)
    return stored


def change(connection: Connection, call: UpdateImage, now: datetime) -> Image:
    """Apply the changes to the image as it is now and return it; NotFound, and what ``changes.apply`` raises."""
    before = lock(connection, call.image_id)
    return store(connection, before, changes.apply(before, call.changes, now, call.limits), now, call.limits)


def set_status(connection: Connection, call: SetStatus, now: datetime) -> Image:
    """Move the image from one of ``expect`` to ``status``; entering ``queued`` forgets its sizes."""
    before = lock(connection, call.image_id)
    if before.status not in call.expect:
        raise errors.StatusConflict(id=before.id, status=before.status, wanted=", ".join(sorted(call.expect)))
    after = replace(before, status=call.status, updated_at=now)
    if call.status == "queued":
        after = replace(after, size=None, virtual_size=None)
    return store(connection, before, after, now)


def store(connection: Connection, before: Image, after: Image, now: datetime, limits: Limits = NO_LIMITS) -> Image:
    """Write the difference of ``before``, which is locked, and ``after``; return the image as it is stored.

    A limit holds for what the owner of ``before`` uses more; a new owner takes the image over as it is.
    """
    update_row(connection, before, after)
    children.store_difference(connection, before, after, now)
    if children.has_new_locations(after.locations):
        after = get(connection, after.id)
    same_owner = before.owner == after.owner
    usage.change(connection, usage.of_image(before), usage.of_image(after), limits if same_owner else NO_LIMITS)
    return after


def update_row(connection: Connection, before: Image, after: Image, **more: Any) -> None:
    """Write the columns in which ``after`` differs from ``before``, and ``more`` columns."""
    values = {name: value for name, value in base_values(after).items() if value != getattr(before, name)} | more
    if values:
        connection.execute(_UPDATE, {"image": after.id} | values)


def delete(connection: Connection, call: MarkDeleted, now: datetime) -> Image:
    """Mark the image deleted, make its data, staged or stored, pending deletions, count it out; Forbidden, NotFound.

    Properties and tags go for good, so that lists by them do not meet deleted images. Transfers of the image keep
    their rows: the process that holds one removes its bytes.
    """
    before = lock(connection, call.image_id)
    check_unprotected(before)
    check_transition(before, "deleted")
    after = replace(before, status="deleted", updated_at=now, deleted_at=now, locations=())
    update_row(connection, before, after, deleted=True, deleted_at=now)
    bare = replace(after, properties=NO_PROPERTIES, tags=())
    children.store_difference(connection, before, bare, now)
    used = usage.of_image(before)
    if before.status in IN_TRANSFER:
        used += staged_rows.discard(connection, call.image_id, now)
    usage.change(connection, used, Counter())
    return after


def check_unprotected(image: Image) -> None:
    """Raise Forbidden where ``image`` may not be deleted."""
    if image.protected:
        raise errors.Forbidden(reason=f"Image {image.id} is protected and cannot be deleted.")


def restore(connection: Connection, call: UndoDeletion, now: datetime) -> Image:
    """Undo ``delete`` for the locations that are still pending; NotFound where none is."""
    image = call.image
    lock_deleted(connection, image.id)
    urls = {location.url for location in image.locations}
    pending = [one for one in deletions.of_image(connection, ListDeletions(image.id)) if one.url in urls]
    if not pending:
        raise errors.NotFound(kind="pending deletion of image", id=image.id)
    deletions.remove(connection, [one.id for one in pending])
    left = {one.url for one in pending}
    locations = tuple(replace(location, id=None) for location in image.locations if location.url in left)
    after = replace(image, locations=locations, updated_at=now, deleted_at=None)
    deleted = replace(after, status="deleted", properties=NO_PROPERTIES, tags=(), locations=())
    update_row(connection, deleted, after, deleted=False, deleted_at=None, updated_at=now)
    children.store_difference(connection, deleted, after, now)
    restored = get(connection, image.id)
    usage.change(connection, Counter(), usage.of_image(restored))
    return restored


@lru_cache
def _get_statement(is_admin: bool, has_project: bool) -> Select[Any]:
    return select(*image_columns()).where(
        images.c.id == bindparam("image"), images.c.deleted == false(), visibility.may_see(is_admin, has_project)
    )


@lru_cache
def _restorable_statement(is_admin: bool, has_project: bool) -> Select[Any]:
    return select(*image_columns()).where(
        images.c.id == bindparam("image"),
        images.c.status == PENDING_DELETE,
        visibility.may_restore(is_admin, has_project),
    )


QUERIES = {LoadImage: load}
WRITES = {
    CreateImage: create,
    UpdateImage: change,
    SetStatus: set_status,
    MarkDeleted: delete,
    UndoDeletion: restore,
}
