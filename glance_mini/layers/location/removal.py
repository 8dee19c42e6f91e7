"""Removes data that no image refers to any more: first the record changes, then the bytes go (api-images-delete)."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from glance_mini.domain.changes import LocationChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, NotFound, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.layers.base import Handler
from glance_mini.layers.location.callers import caller_for
from glance_mini.maintenance.removal import remove_data
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import FinishRemoval, ListRemovals
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)


class Removal:
    """Removes data for the layer that passes its ``below``.

    ``node_url`` is the URL of this node, None for the only node.

    The reaper retries removals that fail, except for data in use.
    """

    def __init__(self, below: Handler, stores: Stores, node_url: str | None) -> None:
        self._below = below
        self._stores = stores
        self._node_url = node_url

    def delete_pending(self, context: Context, image: Image) -> None:
        """Delete the data of the image's pending deletions; raises InUseByStore if a store still needs it."""
        caller = caller_for(context, image.owner)
        for deletion in self._pending(context, image.id):
            try:
                remove_data(self._stores, self._node_url, deletion, partial(self._below, context), caller)
            except store_errors.InUseByStore:
                raise
            except Exception as error:
                # A driver may raise any error; the image is deleted, and the reaper retries the deletion of its data.
                reason = f"{type(error).__name__}: {error}"
                LOG.warning("Data of image %s could not be deleted yet: %s", image.id, reason)

    def delete_removed(self, context: Context, image: Image) -> None:
        """Delete the data of removed locations of the image; the reaper retries the deletion of data in use."""
        try:
            self.delete_pending(context, image)
        except store_errors.InUseByStore as error:
            LOG.warning("Data of a removed location of image %s could not be deleted yet: %s", image.id, error)

    def delete_from_store(self, context: Context, image: Image, store_id: str) -> Image:
        """Remove the data of an active image from one of several stores and return the image.

        Raises NotFound, StatusConflict, Forbidden (its last data), Conflict if there is no such store or if the store
        refuses; then the image keeps the data.
        """
        gone = self._locations_in(store_id, image)
        changes = tuple(LocationChange("remove", locations=(location,)) for location in gone)
        left = self._below(context, UpdateImage(image.id, image, changes))
        try:
            self.delete_pending(context, image)
        except store_errors.InUseByStore as error:
            self._take_back(context, left, gone)
            raise Conflict(reason=f"Image {image.id} keeps its data in store {store_id}: {error}") from error
        return left

    def _locations_in(self, store_id: str, image: Image) -> list[Location]:
        if not self._stores.multi:
            raise NotFound(kind="store", id=store_id)
        if store_id not in self._stores.ids():
            raise Conflict(reason=f"There is no store {store_id}.")
        if image.status != "active":
            raise StatusConflict(id=image.id, status=image.status, wanted="active")
        found = [location for location in image.locations if location.store == store_id]
        if not found:
            raise NotFound(kind=f"data in store {store_id} of an image", id=image.id)
        return found

    def _take_back(self, context: Context, image: Image, gone: Sequence[Location]) -> None:
        """Give back to ``image`` those of the locations ``gone`` whose data still exists."""
        pending = {deletion.url: deletion for deletion in self._pending(context, image.id)}
        back = [replace(location, id=None) for location in gone if location.url in pending]
        changes = tuple(LocationChange("add", locations=(location,)) for location in back)
        self._below(context, UpdateImage(image.id, image, changes))
        for location in back:
            self._below(context, FinishRemoval(pending[location.url].id))

    def _pending(self, context: Context, image_id: str) -> list[DataRemoval]:
        return list(self._below(context, ListRemovals(image_id)))
