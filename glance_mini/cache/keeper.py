"""The background work on the cache of a node: it follows the database, makes room, and fetches what is wanted.

Every process of the node has a keeper. One of them holds a lock of the node and does what concerns all of them; if it
dies, another goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from glance_mini.background import Background
from glance_mini.cache.directory import Kept
from glance_mini.cache.node import ImageCache
from glance_mini.cache.prefetch import find_active, wanted_images
from glance_mini.cache.settings import CacheSettings
from glance_mini.cache.source import DataSource, name_of
from glance_mini.db.interface import DataAccess
from glance_mini.domain.image import Image
from glance_mini.operations.cache import ListInactiveImages
from glance_mini_store.errors import StoreError

LOG = logging.getLogger(__name__)

FLUSH_INTERVAL = 1.0
"""Seconds until uses are recorded."""

CLOCK_MOVED = 60.0
"""Seconds by which the clock of the node may differ from the time that passed before it counts as set anew."""


class CacheKeeper:
    """Two threads: one for short work every second, and one that fetches images."""

    def __init__(
        self,
        cache: ImageCache,
        data: DataAccess,
        source: Callable[[Image], DataSource],
        settings: CacheSettings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``source`` returns the source of an image for the service itself."""
        self._cache = cache
        self._data = data
        self._source = source
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._clocks: tuple[float, float] | None = None
        self._next_check = self._next_rules = 0.0
        self._changed = threading.Event()
        self._wanted = threading.Event()
        self._is_stopping = False
        self._leads = False
        self._lead = ExitStack()
        self._works = Background("cache", self.work, lambda: 0.0, "The work on the cache failed")
        self._fetches = Background("cache-prefetch", self._fetch, lambda: 0.0, "An image could not be cached")
        cache.on_queued = self._wanted.set

    def start(self) -> None:
        """Start the threads. Call it once, and after a fork."""
        self._works.start()
        self._fetches.start()

    def close(self) -> None:
        """Stop, and record the last uses."""
        self._is_stopping = True
        self._changed.set()
        self._wanted.set()
        self._works.close()
        self._fetches.close()
        self._lead.close()

    def wake(self) -> None:
        """Check the images soon, because some were changed; never blocks."""
        self._next_check = 0.0
        self._changed.set()

    def work(self) -> None:
        """Wait for a moment or a change, and do what is due."""
        self._changed.wait(FLUSH_INTERVAL)
        self._changed.clear()
        self._cache.end_unwanted_fills()
        try:
            self._cache.catalog.flush()
        finally:
            if self._monotonic() >= self._next_check:
                self._next_check = self._monotonic() + self._settings.check_interval
                self.check()

    def check(self) -> None:
        """Do the work that one process does for the node; nothing while another does it."""
        if not self._is_first():
            return
        self._watch_clock()
        now = self._clock()
        self._cache.clean(self._settings.stall_time, now)
        if self._settings.max_unused:
            self._cache.expire(self._settings.max_unused, now)
        self._cache.prune()
        self._drop_inactive()
        kept = self._cache.directory.list()
        self._cache.measure(kept)
        self._cache.catalog.follow(kept)
        if self._cache.catalog.queued() or self._are_rules_due():
            self._wanted.set()

    def _is_first(self) -> bool:
        """Return whether this process does the work of the node: the first one that asks, until it ends."""
        if not self._leads:
            with ExitStack() as undo:
                self._leads = undo.enter_context(self._cache.directory.lock("keeper"))
                if self._leads:
                    self._lead = undo.pop_all()
        return self._leads

    def _drop_inactive(self) -> None:
        """Remove images that are deleted or deactivated, or whose data was replaced."""
        kept = self._cache.directory.list()
        ids = frozenset(each.image_id for each in kept) | self._cache.catalog.known()
        inactive = self._data.run(ListInactiveImages(ids)) if ids else frozenset()
        if inactive:
            self._cache.drop(each.name for each in kept if each.image_id in inactive)
            self._cache.catalog.forget(inactive)
        self._cache.drop(self._replaced(kept))

    def _replaced(self, kept: Sequence[Kept]) -> list[str]:
        """Return the entries of images with several ones that do not hold the current data."""
        ids = [each.image_id for each in kept]
        images = {each: find_active(self._data, each) for each in {each for each in ids if ids.count(each) > 1}}
        return [
            each.name
            for each in kept
            if (image := images.get(each.image_id)) is not None and each.name != name_of(image)
        ]

    def _watch_clock(self) -> None:
        """Move the times of use with the clock of the node if it was set, so that age removes nothing then."""
        clocks = (self._clock(), self._monotonic())
        if self._clocks is not None:
            moved = (clocks[0] - self._clocks[0]) - (clocks[1] - self._clocks[1])
            if abs(moved) > CLOCK_MOVED:
                LOG.warning("The clock of this node moved by %.0f seconds; the cache follows.", moved)
                self._cache.directory.shift_times(moved)
        self._clocks = clocks

    def _are_rules_due(self) -> bool:
        return bool(self._settings.rules) and self._monotonic() >= self._next_rules

    # fetching

    def _fetch(self) -> None:
        self._wanted.wait()
        self._wanted.clear()
        if not self._is_stopping:
            self.fetch()

    def fetch(self) -> None:
        """Fetch the queued images and, when it is time, those of the rules; nothing while another process does."""
        with self._cache.directory.lock("prefetch") as is_mine:
            if not is_mine:
                return
            while (queued := self._cache.catalog.queued()) and not self._is_stopping:
                self._fetch_queued(queued[0])
            if self._are_rules_due() and not self._is_stopping:
                self._next_rules = self._monotonic() + self._settings.prefetch_interval
                self._fetch_by_rule()
            self._cache.catalog.follow(self._cache.directory.list())

    def _fetch_queued(self, image_id: str) -> None:
        image = find_active(self._data, image_id)
        try:
            if image is not None and not self._cache.fetch(image, self._source(image)):
                LOG.warning("Image %s is not cached: there is no room, or its data could not be read.", image_id)
        except (StoreError, OSError) as error:
            LOG.warning("Image %s is not cached: %s", image_id, error)
        self._cache.catalog.unqueue(frozenset({image_id}))

    def _fetch_by_rule(self) -> None:
        """Fetch into the free room only, so that no image that is used makes room for one that may be."""
        complete = {each.name for each in self._cache.directory.list() if each.is_complete}
        for image in wanted_images(self._data, self._cache.catalog, self._settings.rules):
            if self._is_stopping:
                return
            source = self._source(image)
            if name_of(image) in complete or not image.size or self._cache.is_local(source):
                continue
            if image.size > self._cache.directory.room():
                LOG.info("Prefetching ends, because the cache has no room for image %s.", image.id)
                return
            try:
                self._cache.fetch(image, source)
            except (StoreError, OSError) as error:
                LOG.warning("Image %s is not cached: %s", image.id, error)
