"""Renews the leases of the transfers of this process in its own thread.

The read loop of a transfer never renews its lease itself, because it blocks while its client is silent.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.operations.records import RenewLeases


class LeaseKeeper:
    """The transfers that this process holds; ``process`` is its name in their rows, new at each start."""

    def __init__(self, data: DataAccess, lease_seconds: float) -> None:
        self.process = uuid.uuid4().hex
        self.lease = timedelta(seconds=lease_seconds)
        self._data = data
        self._held: set[str] = set()
        self._lock = threading.Lock()
        complaint = "The leases of transfers were not renewed"
        self._background = Background("leases", self.renew, lambda: lease_seconds / 4, complaint, False)

    def start(self) -> None:
        """Start to renew. Call it once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop renewing; leases that are still held expire, and a reaper takes over their transfers."""
        self._background.close(0)

    @contextmanager
    def holding(self, transfer_id: str) -> Iterator[None]:
        """Keep the lease of a transfer during the block."""
        with self._lock:
            self._held.add(transfer_id)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(transfer_id)

    def held(self) -> frozenset[str]:
        """Return the ids of the transfers that this process works on."""
        with self._lock:
            return frozenset(self._held)

    def renew(self) -> None:
        """Renew the leases of all held transfers; raises Unavailable."""
        if held := self.held():
            self._data.run(RenewLeases(self.process, held, self.lease))
