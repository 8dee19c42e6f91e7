"""Cleans up after a dead process: transfers whose lease has expired, deletions and uploads that were not finished.

Each process has one such thread; the database gives each row to only one of them.
"""

import logging
import random
from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.domain.transfer import DataRemoval, Transfer
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.maintenance.removal import remove_data
from glance_mini.maintenance.unfinished import resume_uploads
from glance_mini.metrics import Metrics
from glance_mini.operations.records import (
    AbortTransfer,
    HoldRemoval,
    TakeDueRemovals,
    TakeExpiredTransfers,
)
from glance_mini_store import errors as store_errors
from glance_mini_store.caller import Caller
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

RETRY_REMOVAL = timedelta(minutes=1)
"""Time between two attempts of a deletion."""


class Reaper:
    """Takes over expired rows and finishes them; ``reap`` is one round.

    ``node_url`` is the URL of this node, None for the only node. Data on another node's own disk is left to that node.
    """

    def __init__(
        self,
        data: DataAccess,
        stores: Stores,
        leases: LeaseKeeper,
        metrics: Metrics,
        interval: float,
        node_url: str | None = None,
    ) -> None:
        self._data = data
        self._stores = stores
        self._leases = leases
        self._metrics = metrics
        self._node_url = node_url
        complaint = "A round of the reaper failed and will be repeated"
        self._background = Background("reaper", self._work, lambda: interval * random.uniform(0.8, 1.2), complaint)

    def start(self) -> None:
        """Start the thread; the first round begins at once. Call it once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop after the current round and wait some seconds for it; may be called without ``start``."""
        self._background.close()

    def reap(self) -> int:
        """Finish all rows that are due and return their number; raises Unavailable."""
        leases = self._leases
        transfers = self._data.run(TakeExpiredTransfers(leases.process, leases.held(), leases.lease, self._node_url))
        for transfer in transfers:
            self._undo(transfer)
        deletions = self._data.run(TakeDueRemovals(RETRY_REMOVAL, self._node_url))
        for deletion in deletions:
            # Earlier deletions may have taken long: this one may now belong to another process or be undone.
            if self._data.run(HoldRemoval(deletion, RETRY_REMOVAL)):
                self._delete(deletion)
        return len(transfers) + len(deletions) + resume_uploads(self._data)

    def _undo(self, transfer: Transfer) -> None:
        """Remove the data of a dead transfer before the transfer, so that its image is released without leftovers.

        Data on another node's own disk is left to the sweep of that node.
        """
        try:
            if transfer.node_url in (None, self._node_url):
                store = self._stores.get(transfer.store)
                store.for_caller(Caller(transfer.project_id)).discard(transfer.name)
        except store_errors.UnknownStore:
            LOG.error("Transfer %s may have left data in %s, which is no longer a store.", transfer.id, transfer.store)
        except Exception as error:
            # A driver may raise any error; one row must not block the others.
            reason = f"{type(error).__name__}: {error}"
            LOG.warning("The data of transfer %s stays until the next round: %s", transfer.id, reason)
            return
        self._data.run(AbortTransfer(transfer))
        self._metrics.leases_expired.inc()
        LOG.warning("Transfer %s of image %s was aborted: its lease had expired.", transfer.id, transfer.image_id)

    def _delete(self, deletion: DataRemoval) -> None:
        try:
            remove_data(self._stores, self._node_url, deletion, self._data.run)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            LOG.warning("Data of image %s could not be deleted yet: %s", deletion.image_id, reason)

    def _work(self) -> None:
        while not self._background.is_stopping and self.reap():
            pass
