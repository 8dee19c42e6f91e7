"""Writes the row of an image, its properties and its tags by one statement of PostgreSQL.

A round trip costs more than the work in it. A statement is compiled once for each set of columns and kinds of change.
"""

from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Insert, Text, Update, any_, bindparam, delete, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert

from glance_mini.db.sqlalchemy.dynamic import AnyCTE
from glance_mini.db.sqlalchemy.images.children import Difference
from glance_mini.db.sqlalchemy.models import digest, image_properties, image_tags, images, moment
from glance_mini.domain.image import Image

_TEXTS = ARRAY(Text)
_CREATED_AT = bindparam("image_created_at", type_=moment())


def execute(
    connection: Connection,
    statement: Insert | Update,
    values: Mapping[str, object],
    image: Image,
    difference: Difference,
) -> bool:
    """Execute ``statement``, which writes one row of ``images`` or none, with ``values`` and ``difference``.

    Return whether it wrote the row; if not, properties and tags are not changed either.
    """
    parameters: dict[str, object] = {}
    if difference.properties:
        parameters["names"] = list(difference.properties)
        parameters["values"] = list(difference.properties.values())
        parameters["digests"] = [digest(name, value) for name, value in difference.properties.items()]
    if difference.tags:
        parameters["tags"] = list(difference.tags)
    if parameters:
        parameters["image_created_at"] = image.created_at
    if difference.gone_properties:
        parameters["gone_names"] = list(difference.gone_properties)
    if difference.gone_tags:
        parameters["gone_tags"] = list(difference.gone_tags)
    text = _compile(statement, frozenset(values), frozenset(parameters), connection.dialect)
    return bool(connection.exec_driver_sql(text, {**values, **parameters}).scalar())


@lru_cache(maxsize=1000)
def _compile(statement: Insert | Update, columns: frozenset[str], kinds: frozenset[str], dialect: Dialect) -> str:
    """Return the text of ``statement`` with the changes of the parameters ``kinds``."""
    if isinstance(statement, Update):
        statement = statement.values({name: bindparam(name) for name in sorted(columns) if name in images.c})
    image = statement.returning(images.c.id).cte("image")
    changes = [make(image) for kind, make in _CHANGES.items() if kind in kinds]
    return str(select(func.count()).select_from(image).add_cte(*changes).compile(dialect=dialect))


def _write_properties(image: AnyCTE) -> AnyCTE:
    of = image_properties.c
    arrays = (bindparam(name, type_=_TEXTS) for name in ("names", "values", "digests"))
    new = func.unnest(*arrays).table_valued("name", "value", "value_digest", name="new_properties").render_derived()
    rows = select(image.c.id, new.c.name, new.c.value, new.c.value_digest, _CREATED_AT).join_from(image, new, true())
    inserted = insert(image_properties).from_select(
        [of.image_id, of.name, of.value, of.value_digest, of.image_created_at], rows
    )
    return inserted.on_conflict_do_update(
        index_elements=[of.image_id, of.name],
        set_={"value": inserted.excluded.value, "value_digest": inserted.excluded.value_digest},
    ).cte("properties")


def _write_tags(image: AnyCTE) -> AnyCTE:
    of = image_tags.c
    new = func.unnest(bindparam("tags", type_=_TEXTS)).table_valued("value", name="new_tags").render_derived()
    rows = select(image.c.id, new.c.value, _CREATED_AT).join_from(image, new, true())
    return insert(image_tags).from_select([of.image_id, of.value, of.image_created_at], rows).cte("tags_written")


def _remove_properties(image: AnyCTE) -> AnyCTE:
    of = image_properties.c
    gone = of.name == any_(bindparam("gone_names", type_=_TEXTS))
    return delete(image_properties).where(of.image_id == image.c.id, gone).cte("properties_removed")


def _remove_tags(image: AnyCTE) -> AnyCTE:
    of = image_tags.c
    gone = of.value == any_(bindparam("gone_tags", type_=_TEXTS))
    return delete(image_tags).where(of.image_id == image.c.id, gone).cte("tags_removed")


_CHANGES = {
    "names": _write_properties,
    "tags": _write_tags,
    "gone_names": _remove_properties,
    "gone_tags": _remove_tags,
}
"""The parts of a statement by a parameter that each has."""
