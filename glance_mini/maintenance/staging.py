"""Removes staged data when its import has ended, on whichever node it is (api-imports-nodes)."""

import logging

from glance_mini.db.interface import DataAccess
from glance_mini.domain.staging import StagedData
from glance_mini.operations.records import DiscardStaged, ForgetStaged, GetStaged
from glance_mini_store import errors
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)


class StagingArea:
    """Staged data as seen by the node with ``node_url``; None for the only node."""

    def __init__(self, data: DataAccess, stores: Stores, node_url: str | None) -> None:
        self._data = data
        self._stores = stores
        self._node_url = node_url

    def drop(self, image_id: str) -> None:
        """Remove the staged data of an image, first the bytes and then their record; may be repeated.

        Data that cannot be removed here now becomes a pending deletion for the node that has it.
        """
        staged = self._data.run(GetStaged(image_id))
        if staged is None:
            return
        if staged.node_url in (None, self._node_url) and self._is_removed(staged):
            self._data.run(ForgetStaged(image_id))
        else:
            self._data.run(DiscardStaged(image_id))

    def _is_removed(self, staged: StagedData) -> bool:
        try:
            self._stores.get(staged.store).delete(staged.url)
        except errors.NotFound:
            return True
        except errors.StoreError as error:
            LOG.warning("Staged data of image %s could not be removed yet: %s", staged.image_id, error)
            return False
        return True
