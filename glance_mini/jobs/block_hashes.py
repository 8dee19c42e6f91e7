"""Computes the hashes of the blocks of a disk and saves them part by part: each run goes on after the last part."""

import os
from collections.abc import Mapping
from typing import Self

from oslo_config import cfg

from glance_mini.content.disks import Disks
from glance_mini.content.qcow2.block_hashes import BLOCK, hash_blocks
from glance_mini.db.interface import DataAccess
from glance_mini.domain.blocks import BLOCK_HASHES, DIGEST, MOST_PARTS, PART, parts_of
from glance_mini.domain.job import Job
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.bases import LoadChain
from glance_mini.operations.blocks import GetBlockHashes, SaveBlockHashes
from glance_mini.workers.base import Control, JobFailed, JobType
from glance_mini_store.buffers import COPY, Buffers

THREADS = min(4, os.cpu_count() or 1)
"""Blocks of one disk that are hashed at once; what they hold is within the share of the job."""


class BlockHashesJob(JobType):
    """Reads what is allocated of a disk once."""

    kind = BLOCK_HASHES

    def __init__(self, data: DataAccess, disks: Disks, buffers: Buffers | None = None) -> None:
        self._data = data
        self._disks = disks
        self._buffers = buffers or Buffers()

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        return cls(services.data, Disks(services.stores, services.metrics), services.buffers)

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        image_id = str(job.image_id)
        images = self._data.run(LoadChain(image_id))
        chain = self._disks.chain(images)
        parts = parts_of(images[0].virtual_size or chain.size, BLOCK)
        if parts > MOST_PARTS:
            raise JobFailed(reason="The disk is too large.")
        with self._buffers.share(COPY, control.check):
            while (part := self._data.run(GetBlockHashes(image_id)).count) < parts:
                hashes = bytearray()
                for number, digest in hash_blocks(chain, part * PART, (part + 1) * PART, threads=THREADS):
                    control.check()
                    hashes += bytes((number % PART) * DIGEST - len(hashes)) + digest
                self._data.run(SaveBlockHashes(image_id, part, bytes(hashes)))
                control.report_progress(f"Read {(part + 1) * 100 // parts} %")
        return {"image_id": image_id}
