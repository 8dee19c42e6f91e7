"""Counts the bytes of the properties, tags and locations of all images anew (``images.child_bytes``).

Every write keeps the number, but those of a node of a release that does not know the column, during an upgrade.
"""

from sqlalchemy import Connection, bindparam, func, select, update

from glance_mini.db.sqlalchemy.database import Database
from glance_mini.db.sqlalchemy.models import image_locations, image_properties, image_tags, images
from glance_mini.db.sqlalchemy.sql import byte_length

BATCH = 1000
"""Images that one transaction locks."""

_TEXTS = (
    image_properties.c.name,
    image_properties.c.value,
    image_tags.c.value,
    image_locations.c.value,
    image_locations.c.meta_data,
)
_BYTES = sum(
    select(func.coalesce(func.sum(byte_length(text)), 0))
    .where(text.table.c.image_id == images.c.id)
    .correlate(images)
    .scalar_subquery()
    for text in _TEXTS
)
_PAGE = select(images.c.id).where(images.c.id > bindparam("after")).order_by(images.c.id).limit(BATCH).with_for_update()
_CORRECT = (
    update(images)
    .where(images.c.id.in_(bindparam("ids", expanding=True)), images.c.child_bytes != _BYTES)
    .values(child_bytes=_BYTES)
)


def recount(database: Database) -> int:
    """Correct the number of every image that has a wrong one; return how many had. May run beside the service."""
    corrected, after = 0, ""
    while True:

        def correct_page(connection: Connection, now: object, after: str = after) -> tuple[str | None, int]:
            ids = connection.execute(_PAGE, {"after": after}).scalars().all()
            return (ids[-1], connection.execute(_CORRECT, {"ids": ids}).rowcount) if ids else (None, 0)

        last, count = database.write(correct_page)
        if last is None:
            return corrected
        corrected, after = corrected + count, last
