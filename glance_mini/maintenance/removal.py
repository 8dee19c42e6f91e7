"""The one place that removes data to which no image refers any more: first the bytes, then the record."""

from collections.abc import Callable
from contextlib import suppress

from glance_mini.domain.image import Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.operations.records import FinishRemoval
from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.stores import Stores


def remove_data(
    stores: Stores,
    node_url: str | None,
    removal: DataRemoval,
    run: Callable[[FinishRemoval], object],
    caller: Caller | None = None,
) -> bool:
    """Delete the bytes of ``removal`` and forget it by ``run``; False, with nothing done, if only another node can.

    Bytes that are already gone are no error, and neither is a read-only store: its data never belonged to the service.
    Neither did data of users, which stays theirs.
    ``node_url`` is the URL of this node, None for the only node. Without a ``caller`` the
    store acts with credentials of its own. Raises StoreError if a later attempt may succeed.
    """
    if removal.node_url not in (None, node_url):
        return False
    location = Location(url=removal.url, metadata=removal.metadata)
    if location.version is None:
        with suppress(errors.NotFound, errors.StoreDeleteNotSupported):
            store = stores.for_location(location.url, location.store)
            (store if caller is None else store.for_caller(caller)).delete(location.url)
    run(FinishRemoval(removal.id))
    return True
