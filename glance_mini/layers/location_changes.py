"""What the stores know of locations that a caller wants to add (reference 10.1, 10.4)."""

from collections.abc import Mapping
from dataclasses import replace

from glance_mini.domain.changes import ImageChanges, LocationChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import ADDED_BY, OPERATOR, Image, Location
from glance_mini_store import errors
from glance_mini_store.registry import Stores
from glance_mini_store.store import Store


def is_trusted(context: Context) -> bool:
    """Tell whether the caller may vouch for the host of a location: administrators and services may."""
    return context.is_admin or "service" in context.roles


def resolve_changes(stores: Stores, changes: ImageChanges, image: Image, *, trusted: bool) -> ImageChanges:
    """Return ``changes`` of ``image`` with the store and the size (bytes) of every location that is added.

    Locations that the image has already may be named by everybody who sees them. Of a new one the size is asked, and
    its store judges the address unless the caller is ``trusted``. Raises Invalid for a new one that users may not name,
    that no store serves, whose address is refused, that cannot be reached or is empty.
    """
    known = {location.url: location for location in image.locations}
    return tuple(
        _resolve(stores, change, known, trusted) if isinstance(change, LocationChange) else change for change in changes
    )


def _resolve(stores: Stores, change: LocationChange, known: Mapping[str, Location], trusted: bool) -> LocationChange:
    if change.action == "remove":
        return change
    resolved, size = [], change.size
    for location in change.locations:
        if change.action == "replace" and location.url in known:
            old = known[location.url]
            resolved.append(replace(location, metadata=_metadata(location, old.store, old.is_trusted)))
            continue
        store, size = _look_up(stores, location, trusted)
        store_id = store.id if stores.multi else None
        resolved.append(replace(location, metadata=_metadata(location, store_id, trusted)))
    return replace(change, locations=tuple(resolved), size=size)


def _metadata(location: Location, store_id: str | None, trusted: bool) -> Mapping[str, object]:
    """Return the metadata of the caller with what only the service may say: the store, and who has added it."""
    own = {} if store_id is None else {"store": store_id}
    added_by = {ADDED_BY: OPERATOR} if trusted else {}
    return {**location.shown_metadata, **own, **added_by}


def _look_up(stores: Stores, location: Location, trusted: bool) -> tuple[Store, int]:
    try:
        store = stores.validate_user_location(location.url)
        size = (store.trusting() if trusted else store).size(location.url)
    except errors.StoreError as error:
        raise Invalid(reason=f"The location cannot be used: {error}") from error
    if not size:
        raise Invalid(reason="The location holds no data.")
    return store, size
