"""Creates, changes and deletes an image by one statement without a transaction, on PostgreSQL.

This saves the round trips that begin a transaction, count and commit. A function returns None, and has written nothing,
if one statement is not enough or does not find what it expects. Then the functions of ``records`` do the work.
"""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from random import randrange

from sqlalchemy import Connection, Insert, bindparam, exists, insert, select

from glance_mini.db.sqlalchemy import spares, usage
from glance_mini.db.sqlalchemy.images import children, postgresql, records, writing
from glance_mini.db.sqlalchemy.images.postgresql import NOW, SERVER_TIME
from glance_mini.db.sqlalchemy.images.rows import base_values
from glance_mini.db.sqlalchemy.models import images, quota_usage
from glance_mini.domain import changes, errors
from glance_mini.domain.event_log import change_of, creation_of
from glance_mini.domain.image import NO_PROPERTIES, Image
from glance_mini.domain.status import IN_TRANSFER
from glance_mini.operations.images import CreateImage, UpdateImage
from glance_mini.operations.records import MarkDeleted

_UPDATE_COUNTED = writing.UPDATE_SEEN.where(exists(select(quota_usage.c.used).where(*usage.KEY)))


def create(connection: Connection, call: CreateImage, now: datetime | None) -> Image | None:
    """Insert an image without locations and count it; raises the errors of ``changes.check_sizes``."""
    image = records.created(call, SERVER_TIME)
    changes.check_sizes(NO_PROPERTIES, image.properties)
    counted = usage.counted(usage.of_image(image))
    if image.locations or len(counted) > 1:
        return None
    values: dict[str, object] = {"now": now, **base_values(image)}
    limit = None
    for (project, resource), _ in counted:
        limit = call.limits.project.get(resource)
        if resource in call.limits.together:
            return None
        values |= {"project": project, "of": resource}
    if limit is not None:
        values["limit"] = limit
    nothing = replace(image, properties=NO_PROPERTIES, tags=())
    is_filling = bool(counted) and not randrange(spares.FILLS)
    if is_filling:
        values["shard"] = randrange(spares.SHARDS)
    statement = _insert(is_counted=bool(counted), is_filling=is_filling, is_limited=limit is not None)
    difference = children.Difference.between(nothing, image)
    time = postgresql.execute(connection, statement, values, difference, creation_of(image))
    return None if time is None else replace(image, created_at=time, updated_at=time)


def change(connection: Connection, call: UpdateImage, now: datetime | None) -> Image | None:
    """Apply the changes to the image that ``call`` has seen, if it has not changed."""
    before = call.image
    if before is None:
        return None
    try:
        after = records.changed(before, call, SERVER_TIME)
    except errors.GlanceMiniError:
        return None  # The current image decides.
    if (before.locations, before.owner, before.visibility) != (after.locations, after.owner, after.visibility):
        return None
    if usage.of_image(before) != usage.of_image(after):
        return None
    values = {"now": now, "image": after.id, **writing.changed_values(before, after), **writing.seen_values(before)}
    difference = children.Difference.between(before, after)
    time = postgresql.execute(connection, writing.UPDATE_SEEN, values, difference, change_of(before, after))
    return None if time is None else replace(after, updated_at=time)


def delete(connection: Connection, call: MarkDeleted, now: datetime | None) -> Image | None:
    """Mark the image that ``call`` has seen deleted, if it has not changed and has neither data nor a transfer."""
    before = call.seen
    if before is None or before.locations or before.status in IN_TRANSFER:
        return None
    try:
        after = records.buried(before, SERVER_TIME)
    except errors.GlanceMiniError:
        return None  # The current image decides.
    counted = usage.counted(usage.of_image(before))
    if len(counted) > 1:
        return None
    values = {"now": now, "image": after.id, **writing.changed_values(before, after), **writing.seen_values(before)}
    values |= {"deleted": True, "deleted_at": SERVER_TIME}
    for (project, resource), amount in counted:
        values |= {"project": project, "of": resource, "freed": amount}
    statement = _UPDATE_COUNTED if counted else writing.UPDATE_SEEN
    difference = children.Difference.between(before, after)
    time = postgresql.execute(connection, statement, values, difference, change_of(before, after))
    if time is None:
        return None
    return replace(after, updated_at=time, deleted_at=time, properties=before.properties, tags=before.tags)


@lru_cache
def _insert(*, is_counted: bool, is_filling: bool, is_limited: bool) -> Insert:
    """Return the statement that inserts an image, and before it counts the image, within the limit or not at all."""
    times = ("created_at", "updated_at")
    row = select(
        *(NOW if name in times else bindparam(name, type_=images.c[name].type) for name in writing.WRITTEN)
    ).where(writing.IS_NEW)
    if not is_counted:
        return insert(images).from_select(writing.WRITTEN, row)
    if not is_filling:
        counted = spares.count_one(writing.IS_NEW, is_limited=is_limited)
        return insert(images).from_select(writing.WRITTEN, row.where(counted))
    counted, filled = spares.count_in_advance(writing.IS_NEW, is_limited=is_limited)
    return insert(images).from_select(writing.WRITTEN, row.where(counted)).add_cte(filled)


SINGLE_WRITES = {CreateImage: create, UpdateImage: change, MarkDeleted: delete}
