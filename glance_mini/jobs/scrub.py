"""The job that deletes an image for good when it can no longer be restored (``delayed_delete``).

The record is deleted first. The removals of its data then are pending, and the reaper retries them until they succeed.
The job removes the data at once and ends when the stores have confirmed it; it fails while a store reports the data in
use.
"""

import logging
from collections.abc import Mapping
from typing import Self

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import NotFound
from glance_mini.domain.job import SCRUB, Job
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.removal import remove_data
from glance_mini.operations.records import DeleteFromTrash, ListRemovals
from glance_mini.workers.base import QUICK, Control, JobType
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

_DELETED = "deleted"
"""The key of the checkpoint of a job that has deleted the record of its image."""


class ScrubJob(JobType):
    """Deletes one image and its data."""

    kind = SCRUB
    lane = QUICK
    max_attempts = 40

    def __init__(self, data: DataAccess, stores: Stores, node_url: str | None) -> None:
        """``node_url`` is the URL of this node, None if there is only one node."""
        self._data = data
        self._stores = stores
        self._node_url = node_url

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        """Return the job type."""
        return cls(services.data, services.stores, services.node_url)

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        """Delete the image of ``job`` if it is due, and then its data; raises what a store raises."""
        if not job.checkpoint.get(_DELETED) and not self._delete_record(str(job.image_id), control):
            return {}
        self._remove_data(str(job.image_id), control)
        return {"image_id": job.image_id}

    def _delete_record(self, image_id: str, control: Control) -> bool:
        """Delete the record if it is due and return whether it was deleted now."""
        try:
            self._data.run(DeleteFromTrash(image_id, only_due=True))
        except NotFound:
            # It was restored, and has another job if it was deleted again; or a worker died just after this point.
            # Then the reaper removes its data: this job cannot tell it from data that a running request may restore.
            return False
        LOG.info("Image %s is deleted for good.", image_id)
        control.checkpoint({_DELETED: True})
        return True

    def _remove_data(self, image_id: str, control: Control) -> None:
        """Remove all data that can be removed, then raise the first error of a store."""
        failed: Exception | None = None
        for deletion in self._data.run(ListRemovals(image_id)):
            control.check()
            try:
                remove_data(self._stores, self._node_url, deletion, self._data.run)
            except Exception as error:
                failed = failed or error
        if failed is not None:
            raise failed
