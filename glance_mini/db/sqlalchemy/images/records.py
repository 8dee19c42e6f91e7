"""Reads, writes and locks one image (api-images-create, api-images-show, api-images-update, api-images-delete).

Each function runs inside a transaction of the caller. A write first locks the row of the image with a separate
statement: PostgreSQL evaluates sub-selects of a locking statement with the data from before it waited.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from oslo_db.exception import DBDuplicateEntry
from sqlalchemy import Connection, bindparam, false, select

from glance_mini.db.sqlalchemy import base_rows, removals, session_rows, staged_rows, usage
from glance_mini.db.sqlalchemy.dynamic import AnySelect
from glance_mini.db.sqlalchemy.images import children, visibility, writing
from glance_mini.db.sqlalchemy.images.rows import image_columns, to_image
from glance_mini.db.sqlalchemy.models import images
from glance_mini.domain import changes, errors
from glance_mini.domain.bases import BASE_PROPERTY
from glance_mini.domain.image import NO_PROPERTIES, Image
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.status import IN_TRANSFER, PENDING_DELETE, check_transition
from glance_mini.operations.images import CreateImage, UpdateImage
from glance_mini.operations.records import ListRemovals, LoadImage, MarkDeleted, SetStatus, UndoDeletion

ID_LENGTH = 36

_LOCK = select(images.c.id).where(images.c.id == bindparam("image"), images.c.deleted == false()).with_for_update()
_LOCK_DELETED = select(images.c.id).where(images.c.id == bindparam("image")).with_for_update()
_GET_ANY = select(*image_columns()).where(images.c.id == bindparam("image"))


def load(connection: Connection, call: LoadImage) -> Image:
    """Return the image that ``call`` names; raises NotFound."""
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
    """Return the image regardless of its visibility; raises NotFound."""
    return load(connection, LoadImage(image_id))


def lock(connection: Connection, image_id: str) -> Image:
    """Lock the image against changes until the transaction ends, and return it; raises NotFound."""
    # An SQLite transaction already locks the whole database.
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK, {"image": image_id})
    return get(connection, image_id)


def find_locked(connection: Connection, image_id: str) -> Image | None:
    """Lock and return the image as ``lock`` does; None if it does not exist."""
    try:
        return lock(connection, image_id)
    except errors.NotFound:
        return None


def lock_deleted(connection: Connection, image_id: str) -> None:
    """Lock an image, deleted or not, against changes until the transaction ends."""
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK_DELETED, {"image": image_id})


def get_deleted(connection: Connection, image_id: str) -> Image:
    """Return an image that may be deleted, with its remaining data; its row must exist."""
    return to_image(connection.execute(_GET_ANY, {"image": image_id}).one())


def create(connection: Connection, call: CreateImage, now: datetime) -> Image:
    """Insert an image, count it and return it; raises Duplicate if the id is or was in use, LimitExceeded."""
    base: dict[str, Any] = {**call.base, "tags": tuple(cast(Iterable[str], call.base.get("tags", ())))}
    image = Image(
        id=call.id, created_at=now, updated_at=now, properties=call.properties, locations=call.locations, **base
    )
    return insert_image(connection, image, call.limits)


def insert_image(connection: Connection, image: Image, limits: Limits) -> Image:
    """Insert ``image``, count it and return it as stored; raises Duplicate, LimitExceeded."""
    changes.check_sizes(NO_PROPERTIES, image.properties)
    try:
        inserted = writing.insert_image(connection, image)
    except DBDuplicateEntry as error:
        raise errors.Duplicate(kind="Image", id=image.id) from error
    if not inserted:
        raise errors.Duplicate(kind="Image", id=image.id)
    stored = get(connection, image.id) if image.locations else image
    usage.change(connection, Counter(), usage.of_image(stored), limits)
    return stored


def change(connection: Connection, call: UpdateImage, now: datetime) -> Image:
    """Apply the changes to the current image and return it; raises NotFound and the errors of ``changes.apply``."""

    def apply(before: Image) -> Image:
        after = _settled(before, changes.apply(before, call.changes, now, call.limits))
        changes.check_sizes(before.properties, after.properties)
        return after

    before, after = _replace(connection, call.image_id, call.image, apply, now)
    _check_audience(connection, before, after)
    return _count(connection, before, after, call.limits)


def set_status(connection: Connection, call: SetStatus, now: datetime) -> Image:
    """Move the image from one of ``expect`` to ``status`` and return it; status ``queued`` clears its sizes."""
    before = lock(connection, call.image_id)
    if call.spares_bases and before.status in call.expect:
        base_rows.check_no_active_dependents(connection, before.id)
    if before.status not in call.expect:
        raise errors.StatusConflict(id=before.id, status=before.status, wanted=", ".join(sorted(call.expect)))
    after = replace(before, status=call.status, updated_at=now)
    if call.status == "queued":
        after = replace(after, size=None, virtual_size=None)
    return store(connection, before, after, now)


def store(connection: Connection, before: Image, after: Image, now: datetime, limits: Limits = NO_LIMITS) -> Image:
    """Write the difference between ``before``, which is locked, and ``after``; return the stored image.

    Limits apply to the additional usage of the owner; a change of the owner is not limited.
    """
    after = _settled(before, after)
    changes.check_sizes(before.properties, after.properties)
    writing.update_image(connection, before, after, now)
    return _count(connection, before, after, limits)


def _replace(
    connection: Connection,
    image_id: str,
    seen: Image | None,
    make: Callable[[Image], Image],
    now: datetime,
    more: Mapping[str, object] = writing.NOTHING,
) -> tuple[Image, Image]:
    """Write the image that ``make`` returns for the current one, with the columns ``more``; return both.

    If the current one is still ``seen``, nothing is read or locked before. Raises NotFound and the errors of ``make``.
    """
    if seen is not None:
        try:
            after = make(seen)
        except errors.GlanceMiniError:
            pass  # The current image decides.
        else:
            if writing.update_image(connection, seen, after, now, more, if_current=True):
                return seen, after
    before = lock(connection, image_id)
    after = make(before)
    writing.update_image(connection, before, after, now, more)
    return before, after


def _settled(before: Image, after: Image) -> Image:
    """Return ``after``; an image that has just got whole data loses the name of a base (api-incremental-upload)."""
    if before.locations or not after.locations or BASE_PROPERTY not in after.properties or after.base is not None:
        return after
    properties = {name: value for name, value in after.properties.items() if name != BASE_PROPERTY}
    return replace(after, properties=properties)


def _check_audience(connection: Connection, before: Image, after: Image) -> None:
    """Raise ChainConflict if someone can read an image now who cannot read its base (api-incremental-rules)."""
    if (before.owner, before.visibility) == (after.owner, after.visibility):
        return
    if after.base is not None:
        base_rows.check_own_audience(connection, after.id, after.base)
    base_rows.check_audience_of_dependents(connection, after.id)


def _count(connection: Connection, before: Image, after: Image, limits: Limits) -> Image:
    """Count the difference between two states of an image and return the second as it is stored."""
    if children.has_new_locations(after.locations):
        after = get(connection, after.id)
    same_owner = before.owner == after.owner
    usage.change(connection, usage.of_image(before), usage.of_image(after), limits if same_owner else NO_LIMITS)
    return after


def delete(connection: Connection, call: MarkDeleted, now: datetime) -> Image:
    """Mark the image deleted, make its stored and staged data pending deletions, free its quota; return the image.

    Its properties and tags are removed, so that lists by them do not read deleted images. Its transfers keep their
    rows: the process that holds one removes its bytes. Raises Forbidden, NotFound.
    """

    def bury(before: Image) -> Image:
        check_unprotected(before)
        check_transition(before, "deleted")
        after = replace(before, status="deleted", updated_at=now, deleted_at=now)
        return replace(after, properties=NO_PROPERTIES, tags=(), locations=())

    before, after = _replace(connection, call.image_id, call.seen, bury, now, {"deleted": True, "deleted_at": now})
    if before.locations:
        base_rows.check_unused(connection, before.id)
    session_rows.end_of_image(connection, call.image_id, now)
    used = usage.of_image(before)
    if before.status in IN_TRANSFER:
        used += staged_rows.discard(connection, call.image_id, now)
    usage.change(connection, used, Counter())
    return replace(after, properties=before.properties, tags=before.tags)


def check_unprotected(image: Image) -> None:
    """Raise Forbidden if ``image`` is protected."""
    if image.protected:
        raise errors.Forbidden(reason=f"Image {image.id} is protected and cannot be deleted.")


def restore(connection: Connection, call: UndoDeletion, now: datetime) -> Image:
    """Undo ``delete`` for the locations whose deletion is still pending; raises NotFound if none is, or its base is."""
    image = call.image
    lock_deleted(connection, image.id)
    urls = {location.url for location in image.locations}
    pending = [one for one in removals.of_image(connection, ListRemovals(image.id)) if one.url in urls]
    if not pending or (image.base is not None and not base_rows.is_there(connection, image.base)):
        raise errors.NotFound(kind="pending deletion of image", id=image.id)
    removals.remove(connection, [one.id for one in pending])
    left = {one.url for one in pending}
    locations = tuple(replace(location, id=None) for location in image.locations if location.url in left)
    after = replace(image, locations=locations, updated_at=now, deleted_at=None)
    deleted = replace(after, status="deleted", properties=NO_PROPERTIES, tags=(), locations=())
    writing.update_image(connection, deleted, after, now, {"deleted": False, "deleted_at": None, "updated_at": now})
    restored = get(connection, image.id)
    usage.change(connection, Counter(), usage.of_image(restored))
    return restored


@lru_cache
def _get_statement(is_admin: bool, has_project: bool) -> AnySelect:
    return select(*image_columns()).where(
        images.c.id == bindparam("image"), images.c.deleted == false(), visibility.may_see(is_admin, has_project)
    )


@lru_cache
def _restorable_statement(is_admin: bool, has_project: bool) -> AnySelect:
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
