"""Writes the row of an image, its properties and its tags by one statement of PostgreSQL.

A round trip costs more than the work in it. A statement is compiled once for each set of columns and kinds of change.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Text,
    Update,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from glance_mini.db.sqlalchemy import event_log, models, spares
from glance_mini.db.sqlalchemy.dynamic import AnyCTE
from glance_mini.db.sqlalchemy.images.children import Difference
from glance_mini.db.sqlalchemy.models import digest, image_properties, image_tags, images, moment
from glance_mini.domain.event_log import LoggedEvent

SERVER_TIME = datetime(9999, 12, 31)
"""The value of a column that the statement sets to the parameter ``now`` or, if that is None, to the server's time."""

NOW = func.coalesce(
    bindparam("now", type_=moment()), literal_column("statement_timestamp() AT TIME ZONE 'UTC'", moment())
)

_TEXTS = ARRAY(Text)
_TIMES = ("updated_at", "deleted_at")


def execute(
    connection: Connection,
    statement: Insert | Update,
    values: Mapping[str, object],
    difference: Difference,
    event: LoggedEvent | None = None,
) -> datetime | None:
    """Execute ``statement``, which writes one row of ``images`` or none, with ``values`` and ``difference``.

    If ``values`` name a row of ``quota_usage`` and an amount ``freed``, that row is reduced too. ``event`` is stored in
    the log of events, if a log is kept. Return ``updated_at``
    of the image, None if its row was not written; then nothing else is changed either.
    """
    parameters: dict[str, object] = {}
    if difference.properties:
        parameters["names"] = list(difference.properties)
        parameters["values"] = list(difference.properties.values())
        parameters["digests"] = [digest(name, value) for name, value in difference.properties.items()]
    if difference.tags:
        parameters["tags"] = list(difference.tags)
    if difference.gone_properties:
        parameters["gone_names"] = list(difference.gone_properties)
    if difference.gone_tags:
        parameters["gone_tags"] = list(difference.gone_tags)
    if event is not None and event_log.is_kept(connection):
        parameters |= {f"event_{name}": value for name, value in event_log.columns_of(event).items()}
    parameters.update(values)
    of_server = frozenset(name for name in _TIMES if values.get(name) is SERVER_TIME)
    text = _compile(statement, frozenset(parameters), of_server, connection.dialect)
    return cast(datetime | None, connection.exec_driver_sql(text, parameters).scalar())


@lru_cache(maxsize=1000)
def _compile(statement: Insert | Update, names: frozenset[str], of_server: frozenset[str], dialect: Dialect) -> str:
    """Return the text of ``statement`` with the changes of the parameters ``names``."""
    if isinstance(statement, Update):
        columns = [name for name in sorted(names) if name in images.c]
        statement = statement.values({name: NOW if name in of_server else bindparam(name) for name in columns})
    image = statement.returning(images.c.id, images.c.created_at, images.c.updated_at).cte("image")
    changes = [make(image) for name, make in _CHANGES.items() if name in names]
    return str(select(image.c.updated_at).add_cte(*changes).compile(dialect=dialect))


def _write_properties(image: AnyCTE) -> AnyCTE:
    of = image_properties.c
    arrays = (bindparam(name, type_=_TEXTS) for name in ("names", "values", "digests"))
    new = func.unnest(*arrays).table_valued("name", "value", "value_digest", name="new_properties").render_derived()
    rows = select(image.c.id, new.c.name, new.c.value, new.c.value_digest, image.c.created_at).join_from(
        image, new, true()
    )
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
    rows = select(image.c.id, new.c.value, image.c.created_at).join_from(image, new, true())
    return insert(image_tags).from_select([of.image_id, of.value, of.image_created_at], rows).cte("tags_written")


def _remove_properties(image: AnyCTE) -> AnyCTE:
    of = image_properties.c
    gone = of.name == any_(bindparam("gone_names", type_=_TEXTS))
    return delete(image_properties).where(of.image_id == image.c.id, gone).cte("properties_removed")


def _remove_tags(image: AnyCTE) -> AnyCTE:
    of = image_tags.c
    gone = of.value == any_(bindparam("gone_tags", type_=_TEXTS))
    return delete(image_tags).where(of.image_id == image.c.id, gone).cte("tags_removed")


def _free(image: AnyCTE) -> AnyCTE:
    return spares.free(exists(select(image.c.id)))


def _log(image: AnyCTE) -> AnyCTE:
    columns = models.event_log.c
    # A name cannot hold this text: its quotation marks are escaped.
    body = func.replace(bindparam("event_body", type_=Text), _UNKNOWN_TIME, _KNOWN_TIME)
    row = select(NOW, bindparam("event_type", type_=columns.type.type), body).select_from(image)
    return insert(models.event_log).from_select([columns.created_at, columns.type, columns.body], row).cte("logged")


_UNKNOWN_TIME: ColumnElement[str] = literal_column(f"""'"updated_at":"{SERVER_TIME:%Y-%m-%dT%H:%M:%SZ}"'""")
_KNOWN_TIME: ColumnElement[str] = literal_column(
    """'"updated_at":"' || to_char(image.updated_at, 'YYYY-MM-DD"T"HH24:MI:SS') || 'Z"'"""
)

_CHANGES = {
    "event_body": _log,
    "freed": _free,
    "names": _write_properties,
    "tags": _write_tags,
    "gone_names": _remove_properties,
    "gone_tags": _remove_tags,
}
"""The parts of a statement by a parameter that each has."""
