"""The filters of a list as conditions on ``images`` (api-images-filters)."""

import operator

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import ScalarSelect

from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyColumns, AnyTable
from glance_mini.db.sqlalchemy.images.order import GENERATED
from glance_mini.db.sqlalchemy.images.shape import SINGLE, QueryShape
from glance_mini.db.sqlalchemy.models import image_properties, image_tags, images

Condition = ColumnElement[bool]

CHILDREN: dict[str, tuple[AnyTable, AnyColumn]] = {
    "properties": (image_properties, image_properties.c.value_digest),
    "tags": (image_tags, image_tags.c.value),
}
"""The tables of properties and tags, and the columns by which a query finds them."""


_OPERATORS = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
}


def has_children(kind: str, number: int) -> Condition:
    """Return the condition for images that have all properties or all tags of the query; ``kind`` is one of CHILDREN.

    An image has a property or a tag only once. Rows are counted, because planners take seconds for many EXISTS, and
    make bad joins of a few. Up to SINGLE values are looked up each by the whole key of its index, more all together.
    """
    name = CHILDREN[kind][1].name
    if number > SINGLE:
        rows = CHILDREN[kind][0].alias().c
        # An expression, so that the rows of the image are read by its id and not those of each value.
        is_wanted: Condition = func.coalesce(rows[name], "").in_(bindparam(kind, expanding=True))
        all_found: Condition = _count(rows, is_wanted) == bindparam(f"number_of_{kind}")
        return all_found
    found = []
    for each in range(number):
        rows = CHILDREN[kind][0].alias().c
        is_this = and_(rows[name] == bindparam(f"{kind}_{each}"), rows.image_created_at == images.c.created_at)
        # Not "= 1": planners take that for so rare that they would sort all images.
        found.append(_count(rows, is_this) != 0)
    return and_(*found)


def _count(rows: AnyColumns, condition: Condition) -> ScalarSelect[int]:
    """Return the number of ``rows`` of the image for which the condition holds."""
    return select(func.count()).where(rows["image_id"] == images.c.id, condition).correlate(images).scalar_subquery()


def filters(shape: QueryShape, lead: str | None = None) -> list[Condition]:
    """Return the conditions of ``shape``; ``lead`` is one of CHILDREN if one of these drives the statement."""
    numbers = {"properties": shape.properties, "tags": shape.tags}
    found = [has_children(kind, number) for kind, number in numbers.items() if number > (kind == lead)]
    if shape.visibility:
        found.append(images.c.visibility == bindparam("visibility"))
    for name, single in shape.fields:
        columns = [images.c[name]] + ([GENERATED[name]] if name in GENERATED else [])
        found += [_is_one_of(column, name, single) for column in columns]
    for number, (name, relation) in enumerate(shape.times):
        column = images.c[name]
        value = bindparam(f"time_{number}", type_=column.type)
        if relation == "neq":
            found.append(or_(column < value, column >= bindparam(f"until_{number}", type_=column.type)))
        else:
            found.append(_OPERATORS[relation](column, value))
    for number, (name, has_minimum, has_maximum) in enumerate(shape.ranges):
        if has_minimum:
            found.append(images.c[name] >= bindparam(f"minimum_{number}"))
        if has_maximum:
            found.append(images.c[name] <= bindparam(f"maximum_{number}"))
    return found


def _is_one_of(column: AnyColumn, name: str, single: bool) -> Condition:
    value = bindparam(f"one_of_{name}", type_=column.type, expanding=not single)
    found: Condition = column == value if single else column.in_(value)
    return found
