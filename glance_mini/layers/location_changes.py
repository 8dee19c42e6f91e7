"""What the stores know of locations that a caller wants to add (reference 10.1, 10.4)."""

from collections.abc import Mapping
from dataclasses import replace

from glance_mini.domain.changes import ImageChanges, LocationChange
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import Image, Location
from glance_mini_store import errors
from glance_mini_store.registry import Stores
from glance_mini_store.store import Store


def resolve_changes(stores: Stores, changes: ImageChanges, image: Image) -> ImageChanges:
    """Return ``changes`` of ``image`` with the store and the size (bytes) of every location that is added.

    Locations that the image has already may be named by everybody who sees them. Raises Invalid for a new one that
    users may not name, that no store serves, that cannot be reached or is empty.
    """
    known = {location.url: location for location in image.locations}
    return tuple(
        _resolve(stores, change, known) if isinstance(change, LocationChange) else change for change in changes
    )


def _resolve(stores: Stores, change: LocationChange, known: Mapping[str, Location]) -> LocationChange:
    if change.action == "remove":
        return change
    resolved, size = [], change.size
    for location in change.locations:
        if change.action == "replace" and location.url in known:
            resolved.append(replace(location, metadata=_with_store(location, known[location.url].store)))
            continue
        store, size = _look_up(stores, location)
        resolved.append(replace(location, metadata=_with_store(location, store.id if stores.multi else None)))
    return replace(change, locations=tuple(resolved), size=size)


def _with_store(location: Location, store_id: str | None) -> Mapping[str, object]:
    """Return the metadata with the store that holds the data, which is the service's to say."""
    return location.metadata if store_id is None else {**location.metadata, "store": store_id}


def _look_up(stores: Stores, location: Location) -> tuple[Store, int]:
    try:
        store = stores.validate_user_location(location.url)
        size = store.size(location.url)
    except errors.StoreError as error:
        raise Invalid(reason=f"The location cannot be used: {error}") from error
    if not size:
        raise Invalid(reason="The location holds no data.")
    return store, size
