"""The columns of an image, and the conversion of their rows to the domain value."""

import orjson
from sqlalchemy import case, select
from sqlalchemy.sql.elements import ColumnElement

from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyRow, AnySelect, AnyTable, RowValues
from glance_mini.db.sqlalchemy.models import image_locations, image_properties, image_tags, images
from glance_mini.db.sqlalchemy.sql import json_array, json_object
from glance_mini.domain.image import NO_PROPERTIES, PLAIN_FIELDS, Image, Location

_BASE = len(PLAIN_FIELDS)


def image_columns(with_values: ColumnElement[bool] | None = None) -> tuple[AnyColumn, ...]:
    """Return the columns that ``to_image`` reads, for a statement that selects from ``images``.

    Tags, properties and locations are null where the condition ``with_values`` does not hold.
    """
    pairs = json_object(image_properties.c.name, image_properties.c.value)
    properties: AnyColumn = _of_image(select(pairs), image_properties)
    tags: AnyColumn = _of_image(select(json_array(image_tags.c.value)), image_tags)
    place = image_locations.c
    locations: AnyColumn = _of_image(
        select(json_array(place.position, place.id, place.value, place.meta_data, place.status)), image_locations
    )
    if with_values is not None:
        tags, properties, locations = (case((with_values, each)) for each in (tags, properties, locations))
    plain = (images.c[name] for name in PLAIN_FIELDS)
    return (*plain, tags, properties, locations, images.c.deleted_at, images.c.version)


def to_image(row: AnyRow) -> Image:
    """Return the image of a row of ``image_columns``."""
    tags, properties, locations = row[_BASE], row[_BASE + 1], row[_BASE + 2]
    places = orjson.loads(locations) if locations else []
    if len(places) > 1:
        places.sort()
    fields: RowValues = (
        *row[:_BASE],
        tuple(orjson.loads(tags)) if tags else (),
        orjson.loads(properties) if properties else NO_PROPERTIES,
        tuple([Location(url, orjson.loads(metadata), status, number) for _, number, url, metadata, status in places]),
        row[_BASE + 3],
        row[_BASE + 4],
    )
    return Image(*fields)


def base_values(image: Image) -> dict[str, object]:
    """Return the values of ``image`` for the writable columns of ``images``."""
    return {name: getattr(image, name) for name in PLAIN_FIELDS} | {"child_bytes": child_bytes(image)}


def child_bytes(image: Image) -> int:
    """Return the bytes of the texts of its properties, tags and locations, as they are stored."""
    texts: list[str] = [*image.tags, *image.properties, *(value for value in image.properties.values() if value)]
    for location in image.locations:
        texts += [location.url, stored_metadata(location)]
    return sum(len(text.encode()) for text in texts)


def stored_metadata(location: Location) -> str:
    """Return the metadata of ``location`` as it is stored."""
    return orjson.dumps(location.metadata).decode()


def _of_image(statement: AnySelect, table: AnyTable) -> AnyColumn:
    return statement.where(table.c.image_id == images.c.id).correlate(images).scalar_subquery()
