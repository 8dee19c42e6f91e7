"""What the stores know of locations that a caller wants to add (reference 10.1, 10.4)."""

from dataclasses import replace

from glance_mini.domain.changes import ImageChanges, LocationChange
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import Location
from glance_mini_store import errors
from glance_mini_store.registry import Stores
from glance_mini_store.store import Store


def resolve_changes(stores: Stores, changes: ImageChanges) -> ImageChanges:
    """Return ``changes`` with the store and the size (bytes) of every location that is added.

    Raises Invalid for a location that users may not name, that no store serves, that cannot be reached or is empty.
    """
    return tuple(_resolve(stores, change) if isinstance(change, LocationChange) else change for change in changes)


def _resolve(stores: Stores, change: LocationChange) -> LocationChange:
    if change.action == "remove":
        return change
    resolved, size = [], change.size
    for location in change.locations:
        store, size = _look_up(stores, location)
        metadata = {**location.metadata, "store": store.id} if stores.multi else location.metadata
        resolved.append(replace(location, metadata=metadata))
    return replace(change, locations=tuple(resolved), size=size)


def _look_up(stores: Stores, location: Location) -> tuple[Store, int]:
    try:
        store = stores.validate_user_location(location.url)
        size = store.size(location.url)
    except errors.StoreError as error:
        raise Invalid(reason=f"The location cannot be used: {error}") from error
    if not size:
        raise Invalid(reason="The location holds no data.")
    return store, size
