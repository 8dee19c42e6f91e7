"""Makes the indexes of complete disks anew, after a base of theirs was stored otherwise (api-incremental-jobs)."""

import logging
from dataclasses import dataclass
from typing import Protocol, TypeVar

from glance_mini.content.disks import Disks
from glance_mini.content.qcow2.complete import make_index
from glance_mini.domain.errors import GlanceMiniError, Unavailable
from glance_mini.operations.base import DataCall
from glance_mini.operations.bases import GetDiskIndex, ListDependents, LoadChain, SaveDiskIndex
from glance_mini.workers.base import Control
from glance_mini_store.errors import StoreError

LOG = logging.getLogger(__name__)

R = TypeVar("R")

_PAGE = 100
"""Images that are listed at once."""


class Run(Protocol):
    """Does a data call."""

    def __call__(self, call: DataCall[R], /) -> R: ...


@dataclass(frozen=True)
class DiskIndexes:
    """Reads the tables of chains in ``disks`` and keeps indexes of at most ``most_bytes``."""

    run: Run
    disks: Disks
    most_bytes: int

    def renew_above(self, image_id: str, control: Control) -> None:
        """Keep an index for each image without one that is based on ``image_id`` or on an image above that; blocks.

        An image whose files cannot be read now is passed over: it is read without an index. Raises JobStopped, and
        Unavailable if the database is.
        """
        after = ""
        while found := self.run(ListDependents(image_id, _PAGE, after)):
            for each in found:
                control.check()
                self._renew(each)
                self.renew_above(each, control)
            after = found[-1]

    def _renew(self, image_id: str) -> None:
        if self.run(GetDiskIndex(image_id)):
            return
        try:
            images = self.run(LoadChain(image_id))
            index = make_index(self.disks.chain(images))
            if len(index) <= self.most_bytes:
                self.run(SaveDiskIndex(image_id, images[0].locations[0].url, len(images) - 1, index))
        except Unavailable:
            raise
        except (GlanceMiniError, StoreError) as error:
            LOG.warning("Image %s stays without an index of its complete disk: %s", image_id, error)
