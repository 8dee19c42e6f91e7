"""Deletes images for good whose time to be restored has ended (``delayed_delete``), from a thread of its own.

Their data becomes pending deletions, which the reaper tries until the store has confirmed. Any number of workers may do
it at once, and it goes on where ``delayed_delete`` was switched off again.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from glance_mini.db.interface import DataAccess
from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import NotFound

LOG = logging.getLogger(__name__)


class Scrubber:
    """Deletes what is due every ``interval`` seconds; ``scrub`` is one round."""

    def __init__(self, data: DataAccess, interval: float, clock: Callable[[], datetime] = utcnow) -> None:
        self._data = data
        self._interval = interval
        self._clock = clock
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrubber", daemon=True)

    def start(self) -> None:
        """Begin with rounds, the first at once; once, and after a fork."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the image in hand."""
        self._closed.set()

    def scrub(self) -> int:
        """Delete all images that are due and return how many there were; raises Unavailable."""
        scrubbed = 0
        while not self._closed.is_set() and (due := self._data.due_pending(self._clock())):
            scrubbed += sum(self._delete(image_id) for image_id in due)
        return scrubbed

    def _delete(self, image_id: str) -> bool:
        try:
            self._data.delete_pending(image_id, self._clock())
        except NotFound:
            # Restored meanwhile, or deleted by another worker.
            return False
        LOG.info("Image %s is deleted for good.", image_id)
        return True

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self.scrub()
            except Exception as error:
                LOG.warning("Deleted images were not scrubbed: %s", error)
            self._closed.wait(self._interval)
