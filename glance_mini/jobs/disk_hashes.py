"""Computes the hashes of the complete disk of an incremental image, which nobody has sent (api-incremental-hashes).

It also begins to coalesce an image that has more bases than the operator wants.
"""

import logging
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import Self

from oslo_config import cfg

from glance_mini.content.disks import Disks, DiskSource, OpenedDisk, complete_disk
from glance_mini.content.hashes import ImageHashes, hashes_beside
from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.image import Image
from glance_mini.domain.job import DISK_HASHES, Job
from glance_mini.layers.location.imports import ImportRules
from glance_mini.layers.location.replacements import begin_coalescing
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.bases import GetDiskIndex, LoadChain, RecordDiskHashes
from glance_mini.workers.base import Control, JobType, context_of
from glance_mini.workers.progress import REPORT_SECONDS, Progress
from glance_mini_store.buffers import COPY, Buffers

LOG = logging.getLogger(__name__)


class DiskHashesJob(JobType):
    """Reads the complete disk once, and records its hashes unless the data was replaced meanwhile."""

    kind = DISK_HASHES

    def __init__(
        self,
        data: DataAccess,
        disks: Disks,
        hashes: ImageHashes,
        rules: ImportRules,
        coalesce_depth: int = 0,
        buffers: Buffers | None = None,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        """``coalesce_depth`` is how many bases an image may have before it is coalesced; 0: any number."""
        self._data = data
        self._disks = disks
        self._hashes = hashes
        self._rules = rules
        self._coalesce_depth = coalesce_depth
        self._buffers = buffers or Buffers()
        self._report_seconds = report_seconds

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        rules = ImportRules(
            keep_jobs=timedelta(hours=conf.task.task_time_to_live),
            priorities={kind: int(priority) for kind, priority in conf.workers.priorities.items()},
            wake_workers=services.wake_workers,
        )
        return cls(
            services.data,
            Disks(services.stores, services.metrics),
            ImageHashes.from_config(conf),
            rules,
            conf.incremental.coalesce_depth,
            services.buffers,
        )

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        chain = self._data.run(LoadChain(str(job.image_id)))
        image = chain[0]
        if image.base is None or image.size is None:
            return {}
        digests = self._read(chain, image.size, control)
        call = RecordDiskHashes(image.id, image.locations[0].url, image.size, **self._hashes.values(digests))
        is_recorded = self._data.run(call)
        if is_recorded and self._coalesce_depth and len(chain) - 1 > self._coalesce_depth:
            self._coalesce(job, chain)
        return {"image_id": image.id}

    def _read(self, chain: tuple[Image, ...], size: int, control: Control) -> dict[str, str]:
        """Return the digests of the complete disk by algorithm."""
        index = self._data.run(GetDiskIndex(chain[0].id))

        def load() -> OpenedDisk:
            return complete_disk(self._disks, self._data.run(LoadChain(chain[0].id)), index)

        progress = Progress(control, "Read", size, self._report_seconds)
        with (
            self._buffers.share(COPY, control.check),
            closing(hashes_beside(self._hashes.algorithms)) as hashes,
            closing(DiskSource(self._disks.stores, load).open(0, size, False)) as chunks,
        ):
            for block in progress.watch(chunks):
                hashes.update(block)
            return hashes.finish()

    def _coalesce(self, job: Job, chain: tuple[Image, ...]) -> None:
        """Begin to coalesce the image; what forbids it now is only logged, and users may still ask for it."""
        try:
            begin = begin_coalescing(
                context_of(job), chain, self._disks.stores, self._rules, depth=self._coalesce_depth
            )
            self._data.run(begin)
        except GlanceMiniError as error:
            LOG.warning("Image %s has more bases than coalesce_depth and is not coalesced: %s", chain[0].id, error)
        else:
            self._rules.wake_workers()
