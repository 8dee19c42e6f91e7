"""The order of a list, and the rows after a marker (api-images-sorting, api-images-paging)."""

import operator
from collections.abc import Iterator

from sqlalchemy import and_, asc, bindparam, desc, or_, tuple_
from sqlalchemy.sql.elements import ColumnElement

from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyColumns
from glance_mini.db.sqlalchemy.images.shape import QueryShape
from glance_mini.db.sqlalchemy.models import images
from glance_mini.domain.query import SORT_KEYS

GENERATED: dict[str, AnyColumn] = {
    key: images.c[f"sort_{key}"] for key in ("name", "size", "container_format", "disk_format")
}
"""Generated columns with the value by which null sorts."""

SORT_COLUMNS: dict[str, AnyColumn] = {key: GENERATED.get(key, images.c[key]) for key in SORT_KEYS}


def ordering(columns: AnyColumns, shape: QueryShape) -> Iterator[AnyColumn]:
    """Return the ORDER BY terms; ``columns`` maps the sort keys to columns."""
    return (asc(columns[key]) if direction == "asc" else desc(columns[key]) for key, direction in shape.order)


def after(columns: AnyColumns, shape: QueryShape) -> ColumnElement[bool]:
    """Return the condition for rows after the marker, in the form that the database can answer from an index.

    MariaDB seeks in an index only with the long form, the others with row values, which need one sort direction.
    """
    steps = [
        (columns[key], bindparam(f"after_{key}", type_=columns[key].type), operator.gt if way == "asc" else operator.lt)
        for key, way in shape.order
    ]
    if shape.row_values:
        sorted_by, values, (beyond, *_) = zip(*steps, strict=True)
        found: ColumnElement[bool] = beyond(tuple_(*sorted_by), tuple_(*values))
        return found
    cases = [
        and_(*(column == value for column, value, _ in steps[:number]), beyond(last, limit))
        for number, (last, limit, beyond) in enumerate(steps)
    ]
    first, limit, beyond = steps[0]
    bound = operator.ge if beyond is operator.gt else operator.le
    return and_(bound(first, limit), or_(*cases))
