"""Limits how many requests with slow work run at once, so that small requests always find a thread.

One project may have a part of the slots only, so that those of others find one too.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from glance_mini.api.errors import TooBusy, TooManyLocations
from glance_mini.domain.context import Context
from glance_mini.layers.location.locations import is_trusted

_WEB = ("http:", "https:", "s3:", "s3+", "swift:", "swift+")


class _Slots:
    """The slots of one process, ``limit`` of them; ``busy`` is raised if none is free."""

    def __init__(self, limit: int, busy: type[TooBusy]) -> None:
        self._limit = limit
        self._busy = busy
        self._lock = threading.Lock()
        self._taken: Counter[str | None] = Counter()

    def _take(self, project: str | None, share: int) -> Callable[[], None]:
        """Take a slot, of which ``project`` may have ``share``, and return a function that releases it once."""
        with self._lock:
            for taken, limit in ((self._taken.total(), self._limit), (self._taken[project], share)):
                if taken >= limit:
                    raise self._busy(limit=limit)
            self._taken[project] += 1
        held = [project]

        def release() -> None:
            with self._lock:
                self._taken.subtract(held)
                self._taken += Counter()
                held.clear()

        return release


class TransferSlots(_Slots):
    """The slots for uploads and downloads; ``share`` are those of one project."""

    def __init__(self, limit: int, share: int) -> None:
        super().__init__(limit, TooBusy)
        self._share = share

    def take(self, context: Context) -> Callable[[], None]:
        """Take a slot for a caller and return a function that releases it once; raises TooBusy at once.

        Administrators and services act for all projects, so they may have all slots.
        """
        return self._take(context.project_id, self._limit if is_trusted(context) else self._share)


class LocationSlots(_Slots):
    """The slots for looks at locations on web servers, which may be as slow as they like; one project may have half."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit, TooManyLocations)

    @contextmanager
    def look(self, project: str | None, urls: Iterable[str]) -> Iterator[None]:
        """Hold a slot if one of ``urls`` is on a web server; raises TooManyLocations at once if none is free."""
        if not any(url.lower().startswith(_WEB) for url in urls):
            yield
            return
        release = self._take(project, max(1, self._limit // 2))
        try:
            yield
        finally:
            release()
