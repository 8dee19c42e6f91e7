"""The filters of a list as conditions on ``images`` (api-images-filters)."""

import operator
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, exists, or_
from sqlalchemy.sql.elements import ColumnElement

from glance_mini.db.sqlalchemy.images.order import GENERATED
from glance_mini.db.sqlalchemy.images.shape import QueryShape
from glance_mini.db.sqlalchemy.models import image_properties, image_tags, images

Condition = ColumnElement[bool]

Child = tuple[Any, int]
"""The table of properties or tags, and the position of one among the query's properties or tags."""

_OPERATORS = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
}


def children(shape: QueryShape) -> list[Child]:
    """Return the properties and tags of the query; the first may drive the statement, the others are filters."""
    return [(image_properties, n) for n in range(shape.properties)] + [(image_tags, n) for n in range(shape.tags)]


def is_child(table: Any, child: Child) -> Condition:
    """Return the condition for rows of ``table``, or of an alias of it, that match ``child``."""
    kind, number = child
    found: Condition = (
        table.c.value_digest == bindparam(f"digest_{number}")
        if kind is image_properties
        else table.c.value == bindparam(f"tag_{number}")
    )
    return found


def filters(shape: QueryShape, others: Iterable[Child] = ()) -> list[Condition]:
    """Return the conditions for the fields of ``shape``, and for images that have ``others``."""
    found: list[Condition] = []
    for table, number in others:
        other = table.alias()
        wanted = [other.c.image_id == images.c.id, is_child(other, (table, number))]
        if table is image_properties:
            # This does not change the result: it completes the primary key, which SQLite would not use otherwise.
            wanted.append(other.c.name == bindparam(f"name_{number}"))
        found.append(exists().where(*wanted))
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


def _is_one_of(column: Any, name: str, single: bool) -> Condition:
    value = bindparam(f"one_of_{name}", type_=column.type, expanding=not single)
    found: Condition = column == value if single else column.in_(value)
    return found
