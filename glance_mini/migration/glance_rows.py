"""Reads images and tasks of a Glance database, a page at a time, in the order of their ids.

A page is bounded by the number of its images and by the bytes of their texts, so memory is bounded too.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import BindParameter, Connection, and_, bindparam, false, func, not_, or_, select

from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyRow, AnySelect, AnyTable
from glance_mini.db.sqlalchemy.sql import byte_length
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.migration.glance_tables import (
    image_locations,
    image_members,
    image_properties,
    image_tags,
    images,
    task_info,
    tasks,
)

PAGE = 1000
"""Images in a page."""

PAGE_BYTES = 16 * 1024**2
"""Bytes of the texts of a page; a single image may have more."""

_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_TRASH: BindParameter[str] = bindparam("in_trash", expanding=True)
_AFTER: BindParameter[str] = bindparam("after")
_IN_USE = or_(and_(images.c.deleted == false(), images.c.status != "deleted"), images.c.status == PENDING_DELETE)
_PAGE = select(images).where(images.c.id > _AFTER, _IN_USE).order_by(images.c.id).limit(PAGE)
_GONE = (
    select(images.c.id, images.c.deleted_at, images.c.updated_at)
    .where(images.c.id > _AFTER, not_(_IN_USE))
    .order_by(images.c.id)
    .limit(PAGE)
)
_TASKS = (
    select(tasks, task_info.c.input, task_info.c.result, task_info.c.message)
    .join_from(tasks, task_info, tasks.c.id == task_info.c.task_id, isouter=True)
    .where(tasks.c.id > _AFTER, tasks.c.deleted == false())
    .order_by(tasks.c.id)
    .limit(PAGE // 10)
)
_TOTALS = {
    "images": select(func.count()).select_from(images).where(_IN_USE),
    "deleted": select(func.count()).select_from(images).where(not_(_IN_USE)),
    "tasks": select(func.count()).select_from(tasks).where(tasks.c.deleted == false()),
}


@dataclass
class GlanceImage:
    """The rows of one image: ``row`` is that of ``images``.

    Locations and members that were removed are among them, and of an image in the trash also such properties and tags.
    """

    row: AnyRow
    properties: list[AnyRow] = field(default_factory=list)
    tags: list[AnyRow] = field(default_factory=list)
    locations: list[AnyRow] = field(default_factory=list)
    members: list[AnyRow] = field(default_factory=list)


def count(connection: Connection) -> dict[str, int]:
    """Return the numbers of images, of deleted images and of tasks."""
    return {name: connection.execute(statement).scalar_one() for name, statement in _TOTALS.items()}


def read_images(connection: Connection) -> Iterator[list[GlanceImage]]:
    """Yield pages of all images that are not deleted for good."""
    after = ""
    while page := connection.execute(_PAGE, {"after": after}).all():
        after = page[-1].id
        yield from _complete(connection, page)


def read_deleted(connection: Connection) -> Iterator[list[AnyRow]]:
    """Yield pages of ``id``, ``deleted_at`` and ``updated_at`` of images that are deleted for good."""
    yield from _pages(connection, _GONE)


def read_tasks(connection: Connection) -> Iterator[list[AnyRow]]:
    """Yield pages of tasks with their input, result and message, which are JSON and text."""
    yield from _pages(connection, _TASKS)


def _pages(connection: Connection, statement: AnySelect) -> Iterator[list[AnyRow]]:
    after = ""
    while page := list(connection.execute(statement, {"after": after})):
        after = page[-1].id
        yield page


def _complete(connection: Connection, rows: "Sequence[AnyRow]") -> Iterator[list[GlanceImage]]:
    """Yield the images of ``rows`` with their parts, as many at a time as have ``PAGE_BYTES``."""
    sizes: dict[str, int] = defaultdict(int)
    ids = {"ids": [row.id for row in rows]}
    for statement in _SIZES:
        for row in connection.execute(statement, ids):
            sizes[row.image_id] += int(row.size)
    part: list[AnyRow] = []
    room = PAGE_BYTES
    for row in rows:
        if part and room < sizes[row.id]:
            yield _with_parts(connection, part)
            part, room = [], PAGE_BYTES
        part.append(row)
        room -= sizes[row.id]
    yield _with_parts(connection, part)


def _with_parts(connection: Connection, rows: "list[AnyRow]") -> list[GlanceImage]:
    found = {row.id: GlanceImage(row) for row in rows}
    in_trash = [row.id for row in rows if row.status == PENDING_DELETE]
    parameters = {"ids": list(found), "in_trash": in_trash}
    for name, statement in _PARTS.items():
        for row in connection.execute(statement, parameters):
            getattr(found[row.image_id], name).append(row)
    return list(found.values())


def _size(table: AnyTable, column: AnyColumn) -> AnySelect:
    total = func.sum(byte_length(column)).label("size")
    return select(table.c.image_id, total).where(table.c.image_id.in_(_IDS)).group_by(table.c.image_id)


def _part(table: AnyTable, *, with_deleted: bool = False) -> AnySelect:
    statement = select(table).where(table.c.image_id.in_(_IDS)).order_by(table.c.id)
    # The parts of an image in the trash are deleted together with it.
    return statement if with_deleted else statement.where(or_(table.c.deleted == false(), table.c.image_id.in_(_TRASH)))


_SIZES = (
    _size(image_properties, func.coalesce(image_properties.c.value, "")),
    _size(image_locations, image_locations.c.value),
)
_PARTS = {
    "properties": _part(image_properties),
    "tags": _part(image_tags),
    "locations": _part(image_locations, with_deleted=True),
    "members": _part(image_members, with_deleted=True),
}
