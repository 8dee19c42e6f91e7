"""Properties, tags and locations of an image: the difference between two states of the image, and its statements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

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


@dataclass(frozen=True)
class Difference:
    """What two states of an image differ in: properties to write, those of them that exist, and the rest by name."""

    properties: Mapping[str, str | None]
    replaced: tuple[str, ...]
    gone_properties: tuple[str, ...]
    tags: tuple[str, ...]
    gone_tags: tuple[str, ...]

    @classmethod
    def between(cls, before: Image, after: Image) -> Self:
        """Return the difference between the properties and tags of ``before`` and ``after``."""
        old, new = before.properties, after.properties
        written = {name: value for name, value in new.items() if name not in old or old[name] != value}
        return cls(
            written,
            tuple(name for name in written if name in old),
            tuple(name for name in old if name not in new),
            tuple(tag for tag in dict.fromkeys(after.tags) if tag not in before.tags),
            tuple(tag for tag in before.tags if tag not in after.tags),
        )


def store_difference(connection: Connection, image: Image, difference: Difference) -> None:
    """Change the properties and tags of ``image`` by one statement for each kind of change."""
    if gone := difference.replaced + difference.gone_properties:
        connection.execute(_DELETE_PROPERTIES, {"image": image.id, "names": gone})
    if difference.properties:
        rows = [
            {
                "image_id": image.id,
                "name": name,
                "value": value,
                "value_digest": digest(name, value),
                "image_created_at": image.created_at,
            }
            for name, value in difference.properties.items()
        ]
        connection.execute(_INSERT_PROPERTIES, rows)
    if difference.gone_tags:
        connection.execute(_DELETE_TAGS, {"image": image.id, "tags": difference.gone_tags})
    if difference.tags:
        tags = [{"image_id": image.id, "value": tag, "image_created_at": image.created_at} for tag in difference.tags]
        connection.execute(_INSERT_TAGS, tags)


def store_locations(connection: Connection, before: Image, after: Image, now: datetime) -> None:
    """Change the locations from ``before`` to ``after``; a removed location becomes a pending deletion."""
    if after.locations == before.locations:
        return
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
