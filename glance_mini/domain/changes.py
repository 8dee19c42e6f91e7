"""Changes of an image, and how they are applied in order to an image (api-images-update, api-tags).

An update carries changes and never a whole image, so an update never loses what its caller cannot see. ``apply`` is
pure: the data access layer calls it inside the transaction that locks the image, and stores the difference.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast

from glance_mini.domain import errors
from glance_mini.domain.bases import BASE_PROPERTY
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import (
    MAX_PROPERTIES,
    MAX_VALUE,
    Image,
    Location,
    bytes_of_properties,
    is_internal,
    user_properties,
)
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.status import WITHOUT_DATA, check_formats, check_required

SETTABLE = frozenset(
    {
        "name",
        "visibility",
        "protected",
        "os_hidden",
        "owner",
        "container_format",
        "disk_format",
        "tags",
        "min_ram",
        "min_disk",
    }
)
"""Base properties that a caller may set."""

FORMATS = frozenset({"container_format", "disk_format"})


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A change of one base or custom property.

    ``add`` sets it, ``create`` requires that it is absent, ``replace`` and ``remove`` require that it is present.
    ``move`` gives it the value of the custom property ``source``, which must be present and is removed.
    """

    action: str
    name: str
    value: object = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class TagChange:
    """``add`` (does nothing if the tag is present) or ``remove`` (NotFound if it is absent) of one tag."""

    action: str
    tag: str


@dataclass(frozen=True, slots=True)
class LocationChange:
    """``add`` at ``position`` (None: at the end), ``replace`` of all, or ``remove`` at ``position``.

    ``remove`` without a position removes the only element of ``locations`` at its current position.
    ``size`` is the size in bytes that the store reports for an added location; ``hashes`` are those the caller claims.
    """

    action: str
    position: int | None = None
    locations: tuple[Location, ...] = ()
    size: int | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)


Change = PropertyChange | TagChange | LocationChange
ImageChanges = tuple[Change, ...]


def apply(image: Image, changes: ImageChanges, now: datetime, limits: Limits = NO_LIMITS) -> Image:
    """Return ``image`` after ``changes`` in their order, all or none; any change sets ``updated_at`` to ``now``.

    Raises Conflict, NotFound, Forbidden or Invalid as api-images-update, api-tags and api-locations-patch say, and
    LimitExceeded if a change adds something beyond ``limits``.
    """
    if not changes:
        return image
    changed = image
    for change in changes:
        match change:
            case PropertyChange():
                changed = _change_property(changed, change)
            case TagChange():
                changed = _change_tag(changed, change)
            case LocationChange():
                changed = _change_locations(changed, change)
    _check_limits(image, changed, limits)
    _check_required(image, changed, limits)
    return replace(changed, updated_at=now)


def _change_property(image: Image, change: PropertyChange) -> Image:
    name, value = change.name, change.value
    if name in SETTABLE:
        return _change_base(image, change)
    if BASE_PROPERTY in (name, change.source):
        _check_base_property(image, change)
    present = name in image.properties
    if change.action == "create" and present:
        raise errors.Conflict(reason=f"Property {name} already present.")
    if change.action in ("replace", "remove") and not present:
        raise errors.Conflict(reason=f"Property {name} does not exist.")
    properties = dict(image.properties)
    if change.action == "move":
        if change.source not in properties:
            raise errors.Conflict(reason=f"Property {change.source} does not exist.")
        value = properties.pop(change.source)
        return replace(image, properties={**properties, name: value})
    if change.action == "remove":
        del properties[name]
    else:
        # The schema allows null for some properties (api-images-custom).
        properties[name] = None if value is None else str(value)
    return replace(image, properties=properties)


def _check_base_property(image: Image, change: PropertyChange) -> None:
    """Raise Forbidden if the image has data: then the property only shows the link (api-incremental-upload).

    An image that is whole may lose a property that another release has left.
    """
    if image.status != "queued" and (image.base is not None or change.action != "remove"):
        raise errors.Forbidden(reason=f"Attribute {BASE_PROPERTY} can be changed only for a queued image.")


def _change_base(image: Image, change: PropertyChange) -> Image:
    name, value = change.name, change.value
    if change.action == "create":
        raise errors.Conflict(reason=f"Property {name} already present.")
    if change.action == "remove":
        raise errors.Forbidden(reason=f"Property {name} may not be removed.")
    if name in FORMATS and image.status != "queued" and value != getattr(image, name):
        raise errors.Forbidden(reason=f"Attribute {name} can be replaced only for a queued image.")
    if name == "tags":
        value = tuple(dict.fromkeys(cast(Iterable[str], value)))
    return with_fields(image, **{name: value})


def _change_tag(image: Image, change: TagChange) -> Image:
    if change.action == "add":
        return image if change.tag in image.tags else replace(image, tags=(*image.tags, change.tag))
    if change.tag not in image.tags:
        raise errors.NotFound(kind="tag", id=change.tag)
    return replace(image, tags=tuple(tag for tag in image.tags if tag != change.tag))


def _change_locations(image: Image, change: LocationChange) -> Image:
    if image.base is not None and change.action != "remove":
        # What is stored of it reads zeros where the base has data.
        raise errors.Conflict(reason=f"Image {image.id} is based on another image; it has no locations to change.")
    if change.action == "replace" and not change.locations:
        raise errors.Forbidden(reason="The locations of an image cannot be replaced by an empty list.")
    if change.action != "remove":
        for location in change.locations:
            _check_metadata(location)
    match change.action:
        case "remove":
            return _remove_location(image, change)
        case "replace" if image.locations:
            return _replace_metadata(image, change)
    return _add_locations(image, change)


def _add_locations(image: Image, change: LocationChange) -> Image:
    if image.status not in ("active", "queued"):
        raise errors.StatusConflict(id=image.id, status=image.status, wanted="active, queued")
    if image.locations and change.size not in (None, image.size):
        raise errors.Invalid(reason=f"The location holds {change.size} bytes, the image has {image.size}.")
    locations = list(image.locations)
    position = len(locations) if change.position is None else change.position
    if position > len(locations):
        raise errors.Invalid(reason=f"Position {position} is beyond the {len(locations)} locations of the image.")
    for new in change.locations:
        if any(new.url == old.url and new.shown_metadata == old.shown_metadata for old in locations):
            raise errors.Invalid(reason="The image already has this location.")
        locations.insert(position, new)
        position += 1
    image = replace(_claim_hashes(image, change.hashes), locations=tuple(locations))
    if image.status == "queued" and locations:
        check_formats(image)
        image = replace(image, status="active", size=change.size)
    return image


def _claim_hashes(image: Image, hashes: Mapping[str, str]) -> Image:
    for name, value in hashes.items():
        known = getattr(image, name)
        if known is not None and known != value:
            raise errors.Conflict(reason=f"{name} of the location differs from that of the image.")
        if known is None and image.status != "queued":
            raise errors.Conflict(reason=f"{name} can be given only for a queued image.")
    return with_fields(image, **hashes) if hashes else image


def _replace_metadata(image: Image, change: LocationChange) -> Image:
    if image.status not in ("active", "queued"):
        raise errors.StatusConflict(id=image.id, status=image.status, wanted="active, queued")
    if sorted(old.url for old in image.locations) != sorted(new.url for new in change.locations):
        raise errors.Invalid(reason="Replacing the locations of an image may change their metadata only.")
    ids = {old.url: old.id for old in image.locations}
    image = _claim_hashes(image, change.hashes)
    return replace(image, locations=tuple(replace(new, id=ids[new.url]) for new in change.locations))


def _remove_location(image: Image, change: LocationChange) -> Image:
    if image.status != "active":
        raise errors.StatusConflict(id=image.id, status=image.status, wanted="active")
    position = _position(image, change)
    if position >= len(image.locations):
        raise errors.Invalid(reason=f"The image has no location at position {position}.")
    if len(image.locations) == 1:
        raise errors.Forbidden(reason="The last location of an image cannot be removed.")
    return replace(image, locations=image.locations[:position] + image.locations[position + 1 :])


def _position(image: Image, change: LocationChange) -> int:
    if change.position is not None:
        return change.position
    urls = [location.url for location in image.locations]
    (wanted,) = change.locations
    if wanted.url not in urls:
        raise errors.Conflict(reason="The image no longer has that location.")
    return urls.index(wanted.url)


def check_sizes(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> None:
    """Raise Invalid for a new value that is too long, LimitExceeded if the properties grow beyond their limit."""
    for name, value in after.items():
        # A character has four bytes at most.
        is_new = value is not None and 4 * len(value) > MAX_VALUE and before.get(name) != value
        if is_new and len(str(value).encode()) > MAX_VALUE:
            raise errors.Invalid(reason=f"The value of property {name} has more than {MAX_VALUE} bytes in UTF-8.")
    wanted = bytes_of_properties(after)
    if wanted > MAX_PROPERTIES and wanted > bytes_of_properties(before):
        raise errors.LimitExceeded(resource="bytes of image properties", limit=MAX_PROPERTIES, wanted=wanted)


def _check_metadata(location: Location) -> None:
    if len(json.dumps(dict(location.metadata), ensure_ascii=False).encode()) > MAX_VALUE:
        raise errors.Invalid(reason=f"The metadata of a location has more than {MAX_VALUE} bytes in UTF-8.")


def _check_required(before: Image, after: Image, limits: Limits) -> None:
    """Raise PropertyRequired if an image gets data, or has some, and lacks or loses a required property."""
    if after.status in WITHOUT_DATA:
        return
    gets_data = before.status in WITHOUT_DATA
    check_required(after, (name for name in limits.required if gets_data or name in before.properties))


def _check_limits(before: Image, after: Image, limits: Limits) -> None:
    properties = user_properties(after)
    has_added = any(not is_internal(name) for name in set(after.properties) - set(before.properties))
    if limits.properties is not None and properties > limits.properties and has_added:
        raise errors.LimitExceeded(resource="image_property_quota", limit=limits.properties, wanted=properties)
    for resource, limit, old, new in (
        ("image_tag_quota", limits.tags, before.tags, after.tags),
        ("image_location_quota", limits.locations, before.locations, after.locations),
    ):
        if limit is not None and len(new) > limit and len(new) > len(old):
            raise errors.LimitExceeded(resource=resource, limit=limit, wanted=len(new))
