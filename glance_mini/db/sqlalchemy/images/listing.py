"""A page of images in one statement, regardless of the page length and the size of the table.

The statement first finds the page, as ids and sort keys, from indexes in the order of the list; then it joins the full
rows. The visible images are a union of sets (``visibility.audiences``): each is read in order from its own index, only
as far as the page needs. Statements are built once for each shape of a query; values are bound. If a query has
properties or tags, a statement before it finds the rarest of them, whose images are then read. If the page has a limit
of bytes, the values of images that take more than their share of it are read by a statement after it, as far as needed.
A search for a part of a name reads a bounded number of images in the order of the list and keeps those with it.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter

from sqlalchemy import BindParameter, Connection, and_, asc, bindparam, desc, exists, false, func, select, true, union
from sqlalchemy.sql.selectable import ScalarSelect

from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyColumns, AnyFrom, AnyRow, AnySelect, AnyTable
from glance_mini.db.sqlalchemy.images import deleted_rows, visibility
from glance_mini.db.sqlalchemy.images.filters import CHILDREN, Condition, filters
from glance_mini.db.sqlalchemy.images.order import SORT_COLUMNS, after, ordering
from glance_mini.db.sqlalchemy.images.rows import image_columns, to_image
from glance_mini.db.sqlalchemy.images.shape import ESCAPE, QueryShape, children_of, shape_of, values_of
from glance_mini.db.sqlalchemy.models import image_members, images, pending_deletes
from glance_mini.db.sqlalchemy.paging import number_within
from glance_mini.db.sqlalchemy.sql import StraightJoin
from glance_mini.domain import errors
from glance_mini.domain.query import ImageQuery, Page, Scope
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.operations.images import ListImages

COMMON = 200
"""The number of images from which on a property or tag counts as common."""

VERY_COMMON = 2_000
"""The number to which the images of a set, or with a common property or tag, are counted."""

_CHILD_BYTES = attrgetter("child_bytes")
_LISTED = (images.c.os_hidden == bindparam("hidden"), images.c.status != "killed")

_INDEXES = {
    "all": "created_at",
    "all but community": "created_at",
    "own": "owner",
    "ownerless": "owner",
    "everyone": "audience",
    "public": "visibility",
    "community": "visibility",
}
_INDEXES_BY_VISIBILITY = _INDEXES | {
    "all": "visibility",
    "own": "owner_visibility",
    "ownerless": "owner_visibility",
}


def list_images(connection: Connection, call: ListImages) -> Page:
    """Return one page; raises Invalid if the marker is not an image that the caller may see."""
    query, scope = call.query, call.scope
    shape = shape_of(query, scope, compares_rows=connection.dialect.name != "mysql")
    marker = {} if query.marker is None else _marker_values(connection, query.marker, scope, shape.deleted)
    if not query.limit or not shape.audiences:
        return Page(())
    values = marker | values_of(query, scope)
    if query.properties or query.tags:
        shape, values = _with_lead(connection, query, shape, values)
    rows = connection.execute(_statement(shape), values).all()
    number, big = len(rows), values["big"]
    assert isinstance(big, int)
    if query.max_bytes is None or max(map(_CHILD_BYTES, rows), default=0) <= big:
        if number < query.limit and shape.is_search:
            next_marker = connection.execute(
                _last_searched(shape), values | {"before": query.max_searched - 1}
            ).scalar()
        else:
            next_marker = rows[-1].id if number == query.limit else None
    else:
        rows = rows[: number_within(map(_CHILD_BYTES, rows), query.max_bytes)]
        is_whole = len(rows) == number and number < query.limit and not shape.is_search
        next_marker = None if is_whole else rows[-1].id
        rows = _completed(connection, rows, scope, shape.deleted, big)
    return Page(tuple(map(deleted_rows.to_image if shape.deleted else to_image, rows)), next_marker)


def _completed(
    connection: Connection, rows: Sequence[AnyRow], scope: Scope, deleted: bool, big: int
) -> Sequence[AnyRow]:
    """Return ``rows``; those of more than ``big`` bytes are read again with their values.

    An image that was deleted in between is left out.
    """
    ids = [row.id for row in rows if row.child_bytes > big]
    statement = _big_statement(scope.is_admin, scope.project_id is not None, deleted)
    whole = {row.id: row for row in connection.execute(statement, {"images": ids, "project": scope.project_id})}
    return [whole.get(row.id, row) for row in rows if row.id in whole or row.child_bytes <= big]


@lru_cache
def _big_statement(is_admin: bool, has_project: bool, deleted: bool) -> AnySelect:
    known = visibility.may_restore if deleted else visibility.may_see
    return _selected(images, deleted, is_bounded=False).where(
        images.c.id.in_(bindparam("images", expanding=True)), *_kind(deleted), known(is_admin, has_project)
    )


def _with_lead(
    connection: Connection, query: ImageQuery, shape: QueryShape, values: dict[str, object]
) -> tuple[QueryShape, dict[str, object]]:
    """Return ``shape`` with the rarest property or tag of ``query`` as its lead, and the values with it.

    Sets that are not larger than the number of images with it are read from their own index. Nothing is counted beyond
    a limit, so that counting costs little; of what reaches it, the one whose images are further apart is the rarer.
    """
    wanted = [(kind, value) for kind, each in children_of(query).items() for value in each]
    kinds = tuple(kind for kind, _ in wanted)
    counts = connection.execute(_count_children(kinds), {f"{k}_{n}": v for n, (k, v) in enumerate(wanted)}).one()
    rarest = min(range(len(wanted)), key=lambda number: counts[number])
    kind, value = wanted[rarest]
    values |= {f"first_of_{kind}": value}
    led = shape.audiences
    if counts[rarest] >= COMMON and not led[0].startswith("all"):
        row = connection.execute(_count_audiences(kind, shape), values).one()
        (lead_size, lead_end), *sets = zip(row[::2], row[1::2], strict=True)
        led = tuple(
            audience
            for audience, (size, end) in zip(led, sets, strict=True)
            if lead_size < size or (lead_size == size == VERY_COMMON and _is_sparser(lead_end, end, shape))
        )
    return shape._replace(lead=kind, led=led), values


@lru_cache(maxsize=64)
def _count_children(kinds: tuple[str, ...]) -> AnySelect:
    counts = [
        _count(select(CHILDREN[kind][0].c.image_id).where(CHILDREN[kind][1] == bindparam(f"{kind}_{number}")), COMMON)
        for number, kind in enumerate(kinds)
    ]
    return select(*counts)


@lru_cache(maxsize=64)
def _count_audiences(kind: str, shape: QueryShape) -> AnySelect:
    """Return the statement that counts the images with the lead, and those of each set of ``shape``.

    After each number comes the creation of the last image counted in the order of the list, if that is an order by it.
    """
    table, column = CHILDREN[kind]
    lead = select(table.c.image_created_at).where(column == bindparam(f"first_of_{kind}"))
    counts = [_count_in_order(lead, table.c.image_created_at, shape)]
    for audience in shape.audiences:
        if audience.startswith("shared:"):
            created_at: AnyColumn = image_members.c.image_created_at
            some = select(created_at).where(*_is_shared(audience))
        else:
            # Only what the index has, so that no row is read.
            created_at = images.c.created_at
            where = [images.c.deleted == false(), _LISTED[0], visibility.condition(audience)]
            if shape.visibility:
                where.append(images.c.visibility == bindparam("visibility"))
            names = _INDEXES_BY_VISIBILITY if shape.visibility else _INDEXES
            hint = f"FORCE INDEX (ix_images_list_{names[audience]})"
            some = select(created_at).where(*where).with_hint(images, hint, "mysql")
        counts.append(_count_in_order(some, created_at, shape))
    source: AnyFrom = counts[0]
    for each in counts[1:]:
        source = source.join(each, true())
    return select(*(column for each in counts for column in each.c)).select_from(source)


def _count_in_order(some: AnySelect, created_at: AnyColumn, shape: QueryShape) -> AnyFrom:
    key, direction = shape.order[0]
    if key == "created_at":
        some = some.order_by(asc(created_at) if direction == "asc" else desc(created_at))
    rows = some.limit(VERY_COMMON).subquery()
    last = func.max if direction == "asc" else func.min
    return select(func.count().label("number"), last(*rows.c).label("end")).subquery()


def _is_sparser(end: datetime, other: datetime, shape: QueryShape) -> bool:
    """Return whether so many images reach to ``end`` that are more common if they reach to ``other``."""
    key, direction = shape.order[0]
    return key == "created_at" and (end > other if direction == "asc" else end < other)


def _count(some: AnySelect, limit: int) -> ScalarSelect[int]:
    return select(func.count()).select_from(some.limit(limit).subquery()).scalar_subquery()


def _is_shared(audience: str) -> list[Condition]:
    """Return the conditions for the rows of members in one of the sets ``shared:…``."""
    return [image_members.c.member == visibility.PROJECT, image_members.c.status == audience.partition(":")[2]]


def _marker_values(connection: Connection, marker: str, scope: Scope, deleted: bool) -> dict[str, object]:
    statement = _marker_statement(scope.is_admin, scope.project_id is not None, deleted)
    row = connection.execute(statement, {"marker": marker, "project": scope.project_id}).first()
    if row is None:
        raise errors.Invalid(reason=f"The marker {marker} is not an image.")
    return {f"after_{key}": value for key, value in row._mapping.items()}


@lru_cache
def _marker_statement(is_admin: bool, has_project: bool, deleted: bool) -> AnySelect:
    known = visibility.may_restore if deleted else visibility.may_see
    return select(*(column.label(key) for key, column in SORT_COLUMNS.items())).where(
        images.c.id == bindparam("marker"), *_kind(deleted), known(is_admin, has_project)
    )


def _kind(deleted: bool) -> list[Condition]:
    """Return the conditions for images in the trash if ``deleted``, else for images that are not deleted."""
    return [images.c.deleted == true(), images.c.status == PENDING_DELETE] if deleted else [images.c.deleted == false()]


@lru_cache(maxsize=512)
def _statement(shape: QueryShape) -> AnySelect:
    page = _found(shape) if shape.is_search else _matching(shape)
    source = page.join(images, images.c.id == page.c.id)
    order = ordering({key: page.c[key] for key, _ in shape.order}, shape)
    return _selected(source, shape.deleted, shape.is_bounded).order_by(*order)


def _matching(shape: QueryShape) -> AnyFrom:
    """Return the keys of the page, or of all images that a search looks at."""
    branches = [_branch(audience, shape).subquery() for audience in shape.audiences]
    return branches[0] if len(branches) == 1 else _merged(branches, shape).subquery("page")


def _found(shape: QueryShape) -> AnyFrom:
    searched = _matching(shape)
    has_part = images.c.name.ilike(bindparam("name_part"), escape=ESCAPE)
    found = select(*searched.c).select_from(searched.join(images, images.c.id == searched.c.id)).where(has_part)
    return found.order_by(*ordering(searched.c, shape)).limit(bindparam("limit")).subquery("found")


@lru_cache(maxsize=64)
def _last_searched(shape: QueryShape) -> AnySelect:
    """Return the statement for the last image of a search that has not seen all; nothing if it has."""
    searched = _matching(shape)
    return select(searched.c.id).order_by(*ordering(searched.c, shape)).offset(bindparam("before")).limit(1)


def _number(shape: QueryShape) -> BindParameter[int]:
    return bindparam("searched" if shape.is_search else "limit")


def _selected(source: AnyFrom, deleted: bool, is_bounded: bool) -> AnySelect:
    """Return the statement that selects images from ``source``; if ``is_bounded``, big ones without their values."""
    columns = image_columns(images.c.child_bytes <= bindparam("big") if is_bounded else None)
    if not deleted:
        return select(*columns, images.c.child_bytes).select_from(source)
    source = source.join(pending_deletes, pending_deletes.c.image_id == images.c.id)
    return select(*columns, images.c.child_bytes, pending_deletes.c.scrub_at).select_from(source)


def _merged(branches: Sequence[AnyFrom], shape: QueryShape) -> AnySelect:
    # UNION, not UNION ALL: an image may be in two sets. The first rows of a union are among the first of its members.
    every = union(*(select(*branch.c) for branch in branches)).subquery()
    return select(*every.c).order_by(*ordering(every.c, shape)).limit(_number(shape))


def _branch(audience: str, shape: QueryShape) -> AnySelect:
    """Return the page of ``audience`` alone; the index with the fewest expected rows drives the statement."""
    is_shared = audience.startswith("shared:")
    if audience in shape.led:
        table, column = CHILDREN[str(shape.lead)]
        seen = _members_see(audience) if is_shared else visibility.condition(audience)
        conditions = [column == bindparam(f"first_of_{shape.lead}"), seen, *filters(shape, shape.lead)]
        return _driven_by(table, conditions, shape)
    if is_shared:
        conditions = [*_is_shared(audience), images.c.visibility == "shared", *filters(shape)]
        return _driven_by(image_members, conditions, shape)
    page = _page(SORT_COLUMNS, [visibility.condition(audience), *filters(shape)], shape)
    index = _index(audience, shape)
    # MariaDB would otherwise read all rows that match the equalities instead of starting at the marker.
    return page.with_hint(images, f"FORCE INDEX ({index})", "mysql") if index else page


def _members_see(audience: str) -> Condition:
    is_member = exists().where(image_members.c.image_id == images.c.id, *_is_shared(audience))
    return and_(images.c.visibility == "shared", is_member)


def _index(audience: str, shape: QueryShape) -> str | None:
    """Return the index that holds ``audience`` in the order of the list, None if filters may allow a better one."""
    if shape.fields or shape.times or shape.ranges:
        return None
    key = shape.order[0][0]
    if key != "created_at":
        return f"ix_images_list_{key}" if audience.startswith("all") and not shape.visibility else None
    return f"ix_images_list_{(_INDEXES_BY_VISIBILITY if shape.visibility else _INDEXES)[audience]}"


def _driven_by(table: AnyTable, conditions: list[Condition], shape: QueryShape) -> AnySelect:
    columns = SORT_COLUMNS | {"created_at": table.c.image_created_at, "id": table.c.image_id}
    joined = StraightJoin(table, images, images.c.id == table.c.image_id)
    return _page(columns, conditions, shape).select_from(joined)


def _page(columns: AnyColumns, conditions: list[Condition], shape: QueryShape) -> AnySelect:
    keys = {key: columns[key].label(key) for key, _ in shape.order} | {"id": columns["id"].label("id")}
    where = [*_kind(shape.deleted), *_LISTED, *conditions]
    if shape.after:
        where.append(after(columns, shape))
    return select(*keys.values()).where(*where).order_by(*ordering(columns, shape)).limit(_number(shape))


QUERIES = {ListImages: list_images}
