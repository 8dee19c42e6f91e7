"""Removes data that no image refers to any more."""

from glance_mini.domain.image import Location
from glance_mini.domain.transfer import Deletion
from glance_mini_store import errors
from glance_mini_store.stores import Stores


def remove_data(stores: Stores, deletion: Deletion) -> None:
    """Delete the bytes that ``deletion`` names; raises StoreError where that may work later.

    That they are gone already is fine, and so is a store that only reads: its data was never the service's own.
    """
    location = Location(url=deletion.url, metadata=deletion.metadata)
    try:
        stores.for_location(location.url, location.store).delete(location.url)
    except (errors.NotFound, errors.StoreDeleteNotSupported):
        return
