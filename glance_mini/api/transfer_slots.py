"""Limits how many requests with slow work run at once, so that small requests always find a thread."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from glance_mini.api.errors import TooBusy, TooManyLocations

_WEB = ("http:", "https:")


class TransferSlots:
    """The slots of one process for uploads and downloads, ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> Callable[[], None]:
        """Take a slot and return a function that releases it once; raises TooBusy at once if no slot is free."""
        if not self._free.acquire(blocking=False):
            raise TooBusy(limit=self._limit)
        taken = [self._free]
        return lambda: taken.pop().release() if taken else None


class LocationSlots:
    """The slots of one process for looks at locations on web servers, which may answer as slowly as they like.

    There are ``limit`` of them; one project may take half.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._share = max(1, limit // 2)
        self._lock = threading.Lock()
        self._taken: Counter[str | None] = Counter()

    @contextmanager
    def look(self, project: str | None, urls: Iterable[str]) -> Iterator[None]:
        """Hold a slot if one of ``urls`` is on a web server; raises TooManyLocations at once if none is free."""
        if not any(url.lower().startswith(_WEB) for url in urls):
            yield
            return
        self._take(project)
        try:
            yield
        finally:
            with self._lock:
                self._taken[project] -= 1
                self._taken += Counter()

    def _take(self, project: str | None) -> None:
        with self._lock:
            for taken, limit in ((self._taken.total(), self._limit), (self._taken[project], self._share)):
                if taken >= limit:
                    raise TooManyLocations(limit=limit)
            self._taken[project] += 1
