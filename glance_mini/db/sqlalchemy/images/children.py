"""Properties, tags and locations of an image: writes the difference between two states of the image."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, update

from glance_mini.db.sqlalchemy import removals
from glance_mini.db.sqlalchemy.images.rows import stored_metadata
from glance_mini.db.sqlalchemy.models import digest, image_locations, image_properties, image_tags
from glance_mini.domain.image import Image, Location

_INSERT_PROPERTIES = insert(image_properties)
_INSERT_TAGS = insert(image_tags)
_INSERT_LOCATIONS = insert(image_locations)
_DELETE_PROPERTIES = delete(image_properties).where(
    image_properties.c.image_id == bindparam("image"), image_properties.c.name.in_(bindparam("names", expanding=True))
)
_DELETE_TAGS = delete(image_tags).where(
    image_tags.c.image_id == bindparam("image"), image_tags.c.value.in_(bindparam("tags", expanding=True))
)
_DELETE_LOCATIONS = delete(image_locations).where(image_locations.c.id.in_(bindparam("ids", expanding=True)))
_UPDATE_LOCATION = update(image_locations).where(image_locations.c.id == bindparam("location"))


def store_difference(connection: Connection, before: Image, after: Image, now: datetime) -> None:
    """Change the child rows from ``before`` to ``after``; a removed location becomes a pending deletion."""
    if after.properties != before.properties:
        _store_properties(connection, before, after)
    if after.tags != before.tags:
        _store_tags(connection, before, after)
    if after.locations != before.locations:
        _store_locations(connection, before, after, now)


def _store_properties(connection: Connection, before: Image, after: Image) -> None:
    old: Mapping[str, str | None] = before.properties
    new = {name: value for name, value in after.properties.items() if name not in old or old[name] != value}
    gone = [name for name in old if name in new or name not in after.properties]
    if gone:
        connection.execute(_DELETE_PROPERTIES, {"image": after.id, "names": gone})
    if new:
        connection.execute(
            _INSERT_PROPERTIES,
            [
                {
                    "image_id": after.id,
                    "name": name,
                    "value": value,
                    "value_digest": digest(name, value),
                    "image_created_at": after.created_at,
                }
                for name, value in new.items()
            ],
        )


def _store_tags(connection: Connection, before: Image, after: Image) -> None:
    gone = [tag for tag in before.tags if tag not in after.tags]
    new = [tag for tag in dict.fromkeys(after.tags) if tag not in before.tags]
    if gone:
        connection.execute(_DELETE_TAGS, {"image": after.id, "tags": gone})
    if new:
        connection.execute(
            _INSERT_TAGS,
            [{"image_id": after.id, "value": tag, "image_created_at": after.created_at} for tag in new],
        )


def _store_locations(connection: Connection, before: Image, after: Image, now: datetime) -> None:
    kept = {location.id for location in after.locations}
    gone = [location for location in before.locations if location.id not in kept]
    if gone:
        connection.execute(_DELETE_LOCATIONS, {"ids": [location.id for location in gone]})
        # An image may have one URL twice: its bytes are deleted with the last location.
        urls = {location.url for location in after.locations}
        orphans = {location.url: location for location in gone if location.url not in urls}
        removals.add(connection, after.id, orphans.values(), now)
    known = {location.id: _row(position, location) for position, location in enumerate(before.locations)}
    new = []
    for position, location in enumerate(after.locations):
        row = _row(position, location)
        if location.id is None:
            new.append({"image_id": after.id} | row)
        elif known[location.id] != row:
            connection.execute(_UPDATE_LOCATION, {"location": location.id} | row)
    if new:
        connection.execute(_INSERT_LOCATIONS, new)


def _row(position: int, location: Location) -> dict[str, object]:
    return {
        "position": position,
        "value": location.url,
        "meta_data": stored_metadata(location),
        "status": location.status,
    }


def has_new_locations(locations: Iterable[Location]) -> bool:
    """Return whether one of ``locations`` still needs an id from the database."""
    return any(location.id is None for location in locations)
