"""Removes data that no image refers to any more."""

from glance_mini.domain.image import Location
from glance_mini.domain.transfer import Deletion
from glance_mini_store import errors
from glance_mini_store.stores import Stores


def remove_data(stores: Stores, deletion: Deletion) -> None:
    """Delete the bytes of ``deletion``; raises StoreError if a later attempt may succeed.

    Bytes that are already gone are no error, and neither is a read-only store: its data never belonged to the service.
    """
    location = Location(url=deletion.url, metadata=deletion.metadata)
    try:
        stores.for_location(location.url, location.store).delete(location.url)
    except (errors.NotFound, errors.StoreDeleteNotSupported):
        return
