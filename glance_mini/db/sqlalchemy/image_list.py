"""A page of images in one statement, whatever its length and whatever else the table holds.

The page is found first, as ids and sort keys, from indexes that have its order; then the full rows are joined. What a
caller sees is a union of sets (``visibility.parts``): each is read in order by an index of its own, as far as the
page reaches. Statements are made once for each shape of a query, values are bound.
"""

import operator
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, asc, bindparam, desc, exists, false, or_, select, tuple_, union
from sqlalchemy.sql.elements import ColumnElement

from glance_mini.db.sqlalchemy import visibility
from glance_mini.db.sqlalchemy.joins import InOrder
from glance_mini.db.sqlalchemy.models import digest, image_members, image_properties, image_tags, images
from glance_mini.db.sqlalchemy.rows import image_columns, to_image
from glance_mini.domain import errors
from glance_mini.domain.query import SORT_KEYS, ImageQuery, Page, Scope

Condition = ColumnElement[bool]

LARGEST = 2**63 - 1

_LISTED = (images.c.deleted == false(), images.c.os_hidden == bindparam("hidden"), images.c.status != "killed")

_GENERATED = {key: images.c[f"sort_{key}"] for key in ("name", "size", "container_format", "disk_format")}
_SORT_COLUMNS: dict[str, Any] = {key: _GENERATED.get(key, images.c.get(key)) for key in SORT_KEYS}

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

_OPERATORS = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


class Shape(NamedTuple):
    """What of a query changes the text of its statement."""

    parts: tuple[str, ...]
    visibility: bool
    fields: tuple[tuple[str, bool], ...]
    times: tuple[tuple[str, str], ...]
    ranges: tuple[tuple[str, bool, bool], ...]
    properties: int
    tags: int
    order: tuple[tuple[str, str], ...]
    after: bool
    row_values: bool


def list_images(connection: Connection, query: ImageQuery, scope: Scope) -> Page:
    """Return one page; Invalid where the marker is no image that ``scope`` may see."""
    order = _order(query.sort)
    values = {} if query.marker is None else _marker_values(connection, query.marker, order, scope)
    shape = _shape(query, scope, order, connection.dialect.name != "mysql")
    if not query.limit or not shape.parts:
        return Page(())
    rows = connection.execute(_statement(shape), values | _values(query, scope)).all()
    found = tuple(map(to_image, rows))
    return Page(found, found[-1].id if len(found) == query.limit else None)


def _order(sort: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Leave out what cannot change the order any more: repeated keys, and those after the unique one."""
    order: dict[str, str] = {}
    for key, direction in sort:
        order.setdefault(key, direction)
        if key == "id":
            break
    return tuple(order.items())


def _marker_values(
    connection: Connection, marker: str, order: tuple[tuple[str, str], ...], scope: Scope
) -> dict[str, Any]:
    statement = _marker_statement(scope.is_admin, scope.project_id is not None)
    row = connection.execute(statement, {"marker": marker, "project": scope.project_id}).first()
    if row is None:
        raise errors.Invalid(reason=f"The marker {marker} is no image.")
    return {f"after_{key}": row._mapping[key] for key, _ in order}


@lru_cache
def _marker_statement(is_admin: bool, has_project: bool) -> Select[Any]:
    return select(*(column.label(key) for key, column in _SORT_COLUMNS.items())).where(
        images.c.id == bindparam("marker"),
        images.c.deleted == false(),
        visibility.may_see(is_admin, has_project),
    )


def _shape(query: ImageQuery, scope: Scope, order: tuple[tuple[str, str], ...], row_values: bool) -> Shape:
    return Shape(
        parts=visibility.parts(query, scope),
        visibility=query.visibility not in (None, "all"),
        fields=tuple((name, len(allowed) == 1) for name, allowed in query.one_of.items()),
        times=tuple((time.field, time.operator) for time in query.times),
        ranges=tuple((one.field, one.minimum is not None, one.maximum is not None) for one in query.ranges),
        properties=len(query.properties),
        tags=len(query.tags),
        order=order,
        after=query.marker is not None,
        row_values=row_values and len({direction for _, direction in order}) == 1,
    )


def _values(query: ImageQuery, scope: Scope) -> dict[str, Any]:
    values: dict[str, Any] = {
        "project": scope.project_id,
        "visibility": query.visibility,
        "hidden": query.os_hidden,
        "limit": query.limit,
    }
    for name, allowed in query.one_of.items():
        bounded = [_bounded(value) for value in allowed]
        values[f"one_of_{name}"] = bounded[0] if len(bounded) == 1 else bounded
    for number, time in enumerate(query.times):
        values[f"time_{number}"] = time.value
    for number, one in enumerate(query.ranges):
        values[f"minimum_{number}"], values[f"maximum_{number}"] = _bounded(one.minimum), _bounded(one.maximum)
    for number, (name, value) in enumerate(query.properties.items()):
        values |= {f"name_{number}": name, f"digest_{number}": digest(name, value)}
    for number, tag in enumerate(query.tags):
        values[f"tag_{number}"] = tag
    return values


def _bounded(value: Any) -> Any:
    return max(-LARGEST, min(value, LARGEST)) if type(value) is int else value


@lru_cache(maxsize=512)
def _statement(shape: Shape) -> Select[Any]:
    branches = [_branch(part, shape).subquery() for part in shape.parts]
    page = branches[0] if len(branches) == 1 else _merged(branches, shape).subquery("page")
    return (
        select(*image_columns())
        .select_from(page.join(images, images.c.id == page.c.id))
        .order_by(*_ordering({key: page.c[key] for key, _ in shape.order}, shape))
    )


def _merged(branches: list[Any], shape: Shape) -> Select[Any]:
    # UNION, not UNION ALL: an image may be in two sets. The first of a union are among the first of its members.
    every = union(*(select(*branch.c) for branch in branches)).subquery()
    return select(*every.c).order_by(*_ordering(every.c, shape)).limit(bindparam("limit"))


def _branch(part: str, shape: Shape) -> Select[Any]:
    """The page as if ``part`` were all; of the indexes that could lead to it, that of the rarer rows leads."""
    children: list[tuple[Any, Any, int]] = [(image_properties, _has_property, n) for n in range(shape.properties)]
    children += [(image_tags, _has_tag, n) for n in range(shape.tags)]
    if part.startswith("shared:"):
        member = image_members.c.member == visibility.PROJECT
        status = image_members.c.status == part.partition(":")[2]
        seen = images.c.visibility == "shared"
        return _led(image_members, [member, status, seen, *_filters(shape, children)], shape)
    if children and part != "ownerless":
        table, has, number = children.pop(0)
        return _led(table, [has(table, number), visibility.condition(part), *_filters(shape, children)], shape)
    page = _page(_SORT_COLUMNS, [visibility.condition(part), *_filters(shape, children)], shape)
    index = _index(part, shape)
    # MariaDB would rather read all that the equalities leave than begin at the marker.
    return page.with_hint(images, f"FORCE INDEX ({index})", "mysql") if index else page


def _index(part: str, shape: Shape) -> str | None:
    """Return the index that holds ``part`` in the order of the list, None where filters may know a better one."""
    if shape.fields or shape.times or shape.ranges or shape.properties or shape.tags:
        return None
    key = shape.order[0][0]
    if key != "created_at":
        return f"ix_images_list_{key}" if part.startswith("all") and not shape.visibility else None
    return f"ix_images_list_{(_INDEXES_BY_VISIBILITY if shape.visibility else _INDEXES)[part]}"


def _led(table: Any, conditions: list[Condition], shape: Shape) -> Select[Any]:
    columns = _SORT_COLUMNS | {"created_at": table.c.image_created_at, "id": table.c.image_id}
    joined = InOrder(table, images, images.c.id == table.c.image_id)
    return _page(columns, conditions, shape).select_from(joined)


def _page(columns: Any, conditions: list[Condition], shape: Shape) -> Select[Any]:
    keys = {key: columns[key].label(key) for key, _ in shape.order} | {"id": columns["id"].label("id")}
    where = [*_LISTED, *conditions]
    if shape.after:
        where.append(_after(columns, shape))
    return select(*keys.values()).where(*where).order_by(*_ordering(columns, shape)).limit(bindparam("limit"))


def _ordering(columns: Any, shape: Shape) -> Iterator[ColumnElement[Any]]:
    return (asc(columns[key]) if direction == "asc" else desc(columns[key]) for key, direction in shape.order)


def _after(columns: Any, shape: Shape) -> Condition:
    """Keep what comes after the marker, in the form that the database can answer from an index.

    MariaDB finds its place in an index by the long form only, the others by row values; these need one direction.
    """
    steps = [
        (columns[key], bindparam(f"after_{key}", type_=columns[key].type), operator.gt if way == "asc" else operator.lt)
        for key, way in shape.order
    ]
    if shape.row_values:
        columns, values, (beyond, *_) = zip(*steps, strict=True)
        after: Condition = beyond(tuple_(*columns), tuple_(*values))
        return after
    cases = [
        and_(*(column == value for column, value, _ in steps[:number]), beyond(last, limit))
        for number, (last, limit, beyond) in enumerate(steps)
    ]
    first, limit, beyond = steps[0]
    bound = operator.ge if beyond is operator.gt else operator.le
    return and_(bound(first, limit), or_(*cases))


def _filters(shape: Shape, children: Iterable[tuple[Any, Any, int]] = ()) -> list[Condition]:
    found: list[Condition] = []
    for table, has, number in children:
        other = table.alias()
        wanted = [other.c.image_id == images.c.id, has(other, number)]
        if table is image_properties:
            # Not needed for the answer: it completes the primary key, which SQLite would not use otherwise.
            wanted.append(other.c.name == bindparam(f"name_{number}"))
        found.append(exists().where(*wanted))
    if shape.visibility:
        found.append(images.c.visibility == bindparam("visibility"))
    for name, single in shape.fields:
        columns = [images.c[name]] + ([_GENERATED[name]] if name in _GENERATED else [])
        found += [_is_one_of(column, name, single) for column in columns]
    for number, (name, relation) in enumerate(shape.times):
        column = images.c[name]
        found.append(_OPERATORS[relation](column, bindparam(f"time_{number}", type_=column.type)))
    for number, (name, has_minimum, has_maximum) in enumerate(shape.ranges):
        if has_minimum:
            found.append(images.c[name] >= bindparam(f"minimum_{number}"))
        if has_maximum:
            found.append(images.c[name] <= bindparam(f"maximum_{number}"))
    return found


def _is_one_of(column: Any, name: str, single: bool) -> Condition:
    value = bindparam(f"one_of_{name}", type_=column.type, expanding=not single)
    found: Condition = column == value if single else column.in_(value)
    return found


def _has_property(table: Any, number: int) -> Condition:
    found: Condition = table.c.value_digest == bindparam(f"digest_{number}")
    return found


def _has_tag(table: Any, number: int) -> Condition:
    found: Condition = table.c.value == bindparam(f"tag_{number}")
    return found
