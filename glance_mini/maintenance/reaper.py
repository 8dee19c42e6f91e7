"""Clears away what a process that died has left: transfers whose lease ended, deletions that were not finished.

One thread in each process; the database gives each row to one of them only.
"""

import logging
import random
from datetime import timedelta

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.domain.transfer import Deletion, Transfer
from glance_mini.maintenance.deletion import remove_data
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations.records import (
    AbortTransfer,
    FinishDeletion,
    HoldDeletion,
    TakeDueDeletions,
    TakeExpiredTransfers,
)
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

RETRY_DELETION = timedelta(minutes=1)
"""How long a deletion rests between two attempts."""

class Reaper:
    """Takes expired rows over and finishes them; ``reap`` is one round.

    ``host`` is the address of this node, None for the only one: what is on another node's own disk is left to that one.
    """

    def __init__(
        self,
        data: DataAccess,
        stores: Stores,
        leases: LeaseKeeper,
        metrics: Metrics,
        interval: float,
        host: str | None = None,
    ) -> None:
        self._data = data
        self._stores = stores
        self._leases = leases
        self._metrics = metrics
        self._host = host
        complaint = "A round of the reaper failed and is tried again"
        self._background = Background("reaper", self._work, lambda: interval * random.uniform(0.8, 1.2), complaint)

    def start(self) -> None:
        """Begin with rounds, the first at once; once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop after the round in hand, which is waited for some seconds; may be called without ``start``."""
        self._background.close()

    def reap(self) -> int:
        """Finish everything that is due now; returns how many rows there were. Raises Unavailable."""
        leases = self._leases
        transfers = self._data.run(TakeExpiredTransfers(leases.process, leases.held(), leases.lease, self._host))
        for transfer in transfers:
            self._undo(transfer)
        deletions = self._data.run(TakeDueDeletions(RETRY_DELETION, self._host))
        for deletion in deletions:
            # Those before it may have taken long: by now it may be another one's, or the image was given its data back.
            if self._data.run(HoldDeletion(deletion, RETRY_DELETION)):
                self._delete(deletion)
        return len(transfers) + len(deletions)

    def _undo(self, transfer: Transfer) -> None:
        """Remove the data of a dead transfer first, so that its image is free only when nothing is left.

        What is on the own disk of a node that does not come back is left to the sweep of that node.
        """
        try:
            if transfer.host in (None, self._host):
                self._stores.get(transfer.store).discard(transfer.name)
        except store_errors.UnknownStore:
            LOG.error("Transfer %s may have left data in %s, which is no store now.", transfer.id, transfer.store)
        except Exception as error:
            # Whatever a driver raises: one row must not keep the others from being cleared away.
            reason = f"{type(error).__name__}: {error}"
            LOG.warning("The remains of transfer %s stay until the next round: %s", transfer.id, reason)
            return
        self._data.run(AbortTransfer(transfer))
        self._metrics.leases_expired.inc()
        LOG.warning("Transfer %s of image %s was given up: its lease had ended.", transfer.id, transfer.image_id)

    def _delete(self, deletion: Deletion) -> None:
        try:
            remove_data(self._stores, deletion)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            LOG.warning("Data of image %s could not be deleted yet: %s", deletion.image_id, reason)
            return
        self._data.run(FinishDeletion(deletion.id))

    def _work(self) -> None:
        while not self._background.is_stopping and self.reap():
            pass
