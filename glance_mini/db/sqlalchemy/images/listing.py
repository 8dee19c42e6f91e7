"""A page of images in one statement, regardless of the page length and the size of the table.

The statement first finds the page, as ids and sort keys, from indexes in the order of the list; then it joins the full
rows. The visible images are a union of sets (``visibility.audiences``): each is read in order from its own index, only
as far as the page needs. Statements are built once for each shape of a query; values are bound.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, false, select, true, union

from glance_mini.db.sqlalchemy.images import deleted_rows, visibility
from glance_mini.db.sqlalchemy.images.filters import Condition, children, filters, is_child
from glance_mini.db.sqlalchemy.images.order import SORT_COLUMNS, after, ordering
from glance_mini.db.sqlalchemy.images.rows import image_columns, to_image
from glance_mini.db.sqlalchemy.images.shape import QueryShape, shape_of, values_of
from glance_mini.db.sqlalchemy.models import image_members, images, pending_deletes
from glance_mini.db.sqlalchemy.sql import StraightJoin
from glance_mini.domain import errors
from glance_mini.domain.query import Page, Scope
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.operations.images import ListImages

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
    rows = connection.execute(_statement(shape), marker | values_of(query, scope)).all()
    found = tuple(map(deleted_rows.to_image if shape.deleted else to_image, rows))
    return Page(found, found[-1].id if len(found) == query.limit else None)


def _marker_values(connection: Connection, marker: str, scope: Scope, deleted: bool) -> dict[str, Any]:
    statement = _marker_statement(scope.is_admin, scope.project_id is not None, deleted)
    row = connection.execute(statement, {"marker": marker, "project": scope.project_id}).first()
    if row is None:
        raise errors.Invalid(reason=f"The marker {marker} is not an image.")
    return {f"after_{key}": value for key, value in row._mapping.items()}


@lru_cache
def _marker_statement(is_admin: bool, has_project: bool, deleted: bool) -> Select[Any]:
    known = visibility.may_restore if deleted else visibility.may_see
    return select(*(column.label(key) for key, column in SORT_COLUMNS.items())).where(
        images.c.id == bindparam("marker"), *_kind(deleted), known(is_admin, has_project)
    )


def _kind(deleted: bool) -> list[Condition]:
    """Return the conditions for images in the trash if ``deleted``, else for images that are not deleted."""
    return [images.c.deleted == true(), images.c.status == PENDING_DELETE] if deleted else [images.c.deleted == false()]


@lru_cache(maxsize=512)
def _statement(shape: QueryShape) -> Select[Any]:
    branches = [_branch(audience, shape).subquery() for audience in shape.audiences]
    page = branches[0] if len(branches) == 1 else _merged(branches, shape).subquery("page")
    columns: tuple[Any, ...] = image_columns()
    source = page.join(images, images.c.id == page.c.id)
    if shape.deleted:
        columns += (pending_deletes.c.scrub_at,)
        source = source.join(pending_deletes, pending_deletes.c.image_id == page.c.id)
    return (
        select(*columns)
        .select_from(source)
        .order_by(*ordering({key: page.c[key] for key, _ in shape.order}, shape))
    )


def _merged(branches: list[Any], shape: QueryShape) -> Select[Any]:
    # UNION, not UNION ALL: an image may be in two sets. The first rows of a union are among the first of its members.
    every = union(*(select(*branch.c) for branch in branches)).subquery()
    return select(*every.c).order_by(*ordering(every.c, shape)).limit(bindparam("limit"))


def _branch(audience: str, shape: QueryShape) -> Select[Any]:
    """Return the page of ``audience`` alone; the index with the fewest expected rows drives the statement."""
    wanted = children(shape)
    if audience.startswith("shared:"):
        member = image_members.c.member == visibility.PROJECT
        status = image_members.c.status == audience.partition(":")[2]
        seen = images.c.visibility == "shared"
        return _driven_by(image_members, [member, status, seen, *filters(shape, wanted)], shape)
    if wanted and audience != "ownerless":
        lead = wanted.pop(0)
        table = lead[0]
        conditions = [is_child(table, lead), visibility.condition(audience), *filters(shape, wanted)]
        return _driven_by(table, conditions, shape)
    page = _page(SORT_COLUMNS, [visibility.condition(audience), *filters(shape, wanted)], shape)
    index = _index(audience, shape)
    # MariaDB would otherwise read all rows that match the equalities instead of starting at the marker.
    return page.with_hint(images, f"FORCE INDEX ({index})", "mysql") if index else page


def _index(audience: str, shape: QueryShape) -> str | None:
    """Return the index that holds ``audience`` in the order of the list, None if filters may allow a better one."""
    if shape.fields or shape.times or shape.ranges or shape.properties or shape.tags:
        return None
    key = shape.order[0][0]
    if key != "created_at":
        return f"ix_images_list_{key}" if audience.startswith("all") and not shape.visibility else None
    return f"ix_images_list_{(_INDEXES_BY_VISIBILITY if shape.visibility else _INDEXES)[audience]}"


def _driven_by(table: Any, conditions: list[Condition], shape: QueryShape) -> Select[Any]:
    columns = SORT_COLUMNS | {"created_at": table.c.image_created_at, "id": table.c.image_id}
    joined = StraightJoin(table, images, images.c.id == table.c.image_id)
    return _page(columns, conditions, shape).select_from(joined)


def _page(columns: Any, conditions: list[Condition], shape: QueryShape) -> Select[Any]:
    keys = {key: columns[key].label(key) for key, _ in shape.order} | {"id": columns["id"].label("id")}
    where = [*_kind(shape.deleted), *_LISTED, *conditions]
    if shape.after:
        where.append(after(columns, shape))
    return select(*keys.values()).where(*where).order_by(*ordering(columns, shape)).limit(bindparam("limit"))


QUERIES = {ListImages: list_images}
