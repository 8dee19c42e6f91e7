"""Renews the leases of the transfers of this process from a thread of its own.

The read loop of a transfer may block for as long as its client is silent, so it never renews anything itself.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from glance_mini.db.interface import DataAccess
from glance_mini.domain.clock import utcnow

LOG = logging.getLogger(__name__)


class LeaseKeeper:
    """The transfers that this process holds now; ``process`` is its name in their rows, new at each start."""

    def __init__(self, data: DataAccess, lease_seconds: int, clock: Callable[[], datetime] = utcnow) -> None:
        self.process = uuid.uuid4().hex
        self._data = data
        self._lease = timedelta(seconds=lease_seconds)
        self._clock = clock
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew; once, and after a fork."""
        self._thread.start()

    def close(self) -> None:
        """Stop renewing; what is still held expires and is taken over by a reaper."""
        self._stopped.set()

    def lease_until(self) -> datetime:
        """Return when a lease that is taken now ends."""
        return self._clock() + self._lease

    @contextmanager
    def holding(self, transfer_id: str) -> Iterator[None]:
        """Keep the lease of a transfer for the time of the block."""
        with self._lock:
            self._held.add(transfer_id)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(transfer_id)

    def held(self) -> frozenset[str]:
        """Return the transfers that this process works on now."""
        with self._lock:
            return frozenset(self._held)

    def renew(self) -> None:
        """Prolong the leases of everything held; a database that is down is tried again at the next turn."""
        held = self.held()
        if not held:
            return
        try:
            self._data.renew_leases(self.process, held, self.lease_until())
        except Exception as error:
            LOG.warning("The leases of %d transfers were not renewed: %s", len(held), error)

    def _run(self) -> None:
        while not self._stopped.wait(self._lease.total_seconds() / 4):
            self.renew()
