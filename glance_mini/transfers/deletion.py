"""Removes data that no image refers to any more."""

from glance_mini.domain.image import Location
from glance_mini.domain.transfer import Deletion
from glance_mini_store import errors
from glance_mini_store.registry import Stores


def remove_data(stores: Stores, deletion: Deletion) -> None:
    """Delete the bytes that ``deletion`` names; that they are gone already is fine. Raises any other StoreError."""
    location = Location(url=deletion.url, metadata=deletion.metadata)
    try:
        stores.for_location(location.url, location.store).delete(location.url)
    except errors.NotFound:
        return
