"""Limits how many uploads and downloads run at once, so that small requests always find a thread."""

import threading
from collections.abc import Callable

from glance_mini.api.errors import TooBusy


class TransferSlots:
    """The slots of one process, ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> Callable[[], None]:
        """Take a slot and return a function that releases it once; raises TooBusy at once if no slot is free."""
        if not self._free.acquire(blocking=False):
            raise TooBusy(limit=self._limit)
        taken = [self._free]
        return lambda: taken.pop().release() if taken else None
