"""Writes an image: its row, and the difference of its properties, tags and locations.

On PostgreSQL the row, the properties and the tags are one statement, on the other databases one for each kind.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection, Insert, Update, bindparam, delete, exists, insert, literal_column, select, update

from glance_mini.db.sqlalchemy import event_log
from glance_mini.db.sqlalchemy.images import children, postgresql
from glance_mini.db.sqlalchemy.images.rows import base_values
from glance_mini.db.sqlalchemy.models import block_hashes, image_tombstones, images
from glance_mini.domain import event_log as events
from glance_mini.domain.image import NO_PROPERTIES, PLAIN_FIELDS, Image

_WRITTEN = (*PLAIN_FIELDS, "child_bytes")
_INSERT = (
    insert(images)
    .from_select(
        _WRITTEN,
        select(*(bindparam(name, type_=images.c[name].type) for name in _WRITTEN)).where(
            ~exists().where(image_tombstones.c.id == bindparam("id"))
        ),
    )
    .execution_options(preserve_rowcount=True)
)
"""Inserts nothing if the id was in use."""

_FORGET_BLOCKS = delete(block_hashes).where(block_hashes.c.image_id == bindparam("image"))

NOTHING: Mapping[str, object] = MappingProxyType({})

_UPDATE = (
    update(images)
    .where(images.c.id == bindparam("image"))
    .values(version=images.c.version + literal_column("1"))
    .execution_options(preserve_rowcount=True)
)

# A node of a release that does not know the number changes the time alone.
_UPDATE_SEEN = _UPDATE.where(images.c.version == bindparam("seen_version"), images.c.updated_at == bindparam("seen_at"))


def insert_image(connection: Connection, image: Image) -> bool:
    """Insert ``image`` with its properties, tags and locations; return False if its id was in use."""
    nothing = replace(image, properties=NO_PROPERTIES, tags=(), locations=())
    if not _execute(connection, _INSERT, base_values(image), nothing, image):
        return False
    children.store_locations(connection, nothing, image, image.created_at)
    if event_log.is_kept(connection):
        event_log.note(connection, events.creation_of(image))
    return True


def update_image(
    connection: Connection,
    before: Image,
    after: Image,
    now: datetime,
    more: Mapping[str, object] = NOTHING,
    *,
    if_current: bool = False,
) -> bool:
    """Write the difference between ``before`` and ``after``, and the columns ``more``; return whether it was written.

    ``before`` is locked, or with ``if_current`` the image must still be as it was when ``before`` was read. A removed
    location becomes a pending deletion; with the last one, the hashes of the blocks go.
    """
    old = base_values(before)
    changed = {name: value for name, value in base_values(after).items() if value != old[name]}
    values = {"image": after.id, **changed, **more}
    if if_current:
        values |= {"seen_version": before.version, "seen_at": before.updated_at}
    if not _execute(connection, _UPDATE_SEEN if if_current else _UPDATE, values, before, after):
        return False
    children.store_locations(connection, before, after, now)
    if event_log.is_kept(connection):
        event_log.note(connection, events.change_of(before, after))
    if before.locations and not after.locations:
        connection.execute(_FORGET_BLOCKS, {"image": after.id})
    return True


def _execute(
    connection: Connection, statement: Insert | Update, values: dict[str, object], before: Image, after: Image
) -> bool:
    """Execute ``statement`` with ``values``; if it writes the row, store the difference; return whether it does."""
    difference = children.Difference.between(before, after)
    if connection.dialect.name == "postgresql":
        return postgresql.execute(connection, statement, values, after, difference)
    if not connection.execute(statement, values).rowcount:
        return False
    children.store_difference(connection, after, difference)
    return True
