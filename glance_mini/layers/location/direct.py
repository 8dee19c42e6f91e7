"""Addresses by which clients read the data of an image from its store (api-data-redirect)."""

import logging
from collections.abc import Sequence

from glance_mini.domain.image import Image, Location
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)


class DirectUrls:
    """Makes addresses that work for ``seconds``; None: none are made."""

    def __init__(self, stores: Stores, seconds: int | None) -> None:
        self._stores = stores
        self._seconds = seconds

    def url(self, image: Image, candidates: Sequence[Location]) -> str | None:
        """Return the address of the first of ``candidates`` that has one and holds the data; None if none has.

        A store is asked whether it has the data, because a client could not turn to another location.
        """
        if self._seconds is None:
            return None
        for location in candidates:
            if not is_whole_image(image, location):
                continue
            try:
                store = self._stores.for_location(location.url, location.store)
                if capabilities.PRESIGN not in store.driver.capabilities:
                    continue
                url = store.presigned_url(location.url, self._seconds)
                if url is not None and store.size(location.url) == image.size:
                    return url
            except store_errors.StoreError as error:
                LOG.warning("A download of image %s is not redirected: %s", image.id, error)
        return None


def is_whole_image(image: Image, location: Location) -> bool:
    """Return whether the data at ``location`` is for its reader what a download of ``image`` gives.

    Data of which no hash is known is not, and neither is data of a user, which may be replaced: only this service would
    notice that. The stored delta of an incremental image is not its disk.
    """
    is_known = image.os_hash_value is not None or image.checksum is not None
    return is_known and location.version is None and location.delta is None
