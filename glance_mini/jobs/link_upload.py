"""Makes data that was sent to a store by a link the data of its image (api-links-uploads).

A copy is made inside the store, because whoever has the link may send other data at any time. The copy is read once,
to hash and inspect it. The job may be restarted at any point: a copy that a checkpoint names is used again, and those
of earlier attempts are removed.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from oslo_config import cfg

from glance_mini.content.hashes import ImageHashes
from glance_mini.content.inspection import Inspection, InspectionRules
from glance_mini.content.signatures import Certificates, no_certificates, signature_check
from glance_mini.domain.errors import Conflict, Gone, Invalid, LimitExceeded, NotFound, UnsafeContent
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import LINK_UPLOAD, Job
from glance_mini.domain.links import Link, transfer_of
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.links import DeleteLink
from glance_mini.operations.records import AbortTransfer, EndImport, LoadImage, RecordImport
from glance_mini.workers.base import Control, JobFailed, JobType, context_of
from glance_mini.workers.progress import REPORT_SECONDS, Progress
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import TRANSFER, Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

FINAL = (
    *(Invalid, UnsafeContent, LimitExceeded, Conflict),
    *(store_errors.SizeMismatch, store_errors.StorageFull, store_errors.NotFound),
)
"""Errors that another attempt would meet again."""

_COPY, _LOCATION = "copy", "location"
"""Keys of a checkpoint: name and location of a complete copy."""


@dataclass(frozen=True)
class _Upload:
    """What a job is about: the store, the announced bytes, and the transfer, whose name is that of what was sent."""

    store: Store
    size: int
    transfer: Transfer


class LinkUploadJob(JobType):
    """Copies, reads and records the data of one image."""

    kind = LINK_UPLOAD
    max_attempts = 3

    def __init__(
        self,
        stack: Stack,
        stores: Stores,
        hashes: ImageHashes,
        rules: InspectionRules,
        certificates: Certificates = no_certificates,
        buffers: Buffers | None = None,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        """``report_seconds`` as for Progress."""
        self._stack = stack
        self._stores = stores
        self._hashes = hashes
        self._rules = rules
        self._certificates = certificates
        self._buffers = buffers or Buffers()
        self._report_seconds = report_seconds

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        hashes, rules = ImageHashes.from_config(conf), InspectionRules.from_config(conf)
        return cls(stack, services.stores, hashes, rules, services.certificates, services.buffers)

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            image = self._load(job)
            upload = self._upload(job, image)
            if image.status == "importing":
                self._take(job, image, upload, control)
            self._stack.call(context_of(job), EndImport(job, {TASK_PROPERTY: None}))
        except FINAL as error:
            raise JobFailed(reason=str(error)) from error
        self._discard(upload.store, [upload.transfer.name])
        self._forget_link(job)
        return {"image_id": job.image_id}

    def give_up(self, job: Job, reason: str) -> None:
        """Queue the image again and remove the copies; what may still be sent is removed when the lease has ended."""
        try:
            image = self._load(job)
        except (Gone, NotFound):
            self._discard(self._store(job, None), self._names(job))
            return
        upload = self._upload(job, image)
        if image.status == "importing":
            self._discard(upload.store, [*self._names(job), upload.transfer.name])
            self._release(job, upload)
            self._stack.call(context_of(job), EndImport(job, {TASK_PROPERTY: None}, "queued"))
        self._forget_link(job)

    def _take(self, job: Job, image: Image, upload: _Upload, control: Control) -> None:
        """Copy what was sent, read the copy and record it as the data of the image."""
        location = self._copy(job, upload, control)
        inspection = Inspection(image, self._rules) if image.container_format == "bare" else None
        signature = signature_check(image.properties, self._certificates(job.token, job.project_id))
        observers = [each for each in (inspection, signature) if each is not None]
        progress = Progress(control, "Read", upload.size, self._report_seconds)
        with self._buffers.share(TRANSFER, control.check):
            digests = upload.store.check(
                location, upload.size, self._hashes.algorithms, observers, lambda chunks: progress.watch(iter(chunks))
            )
        metadata = {"store": upload.store.id} if self._stores.multi else {}
        virtual_size = inspection.virtual_size if inspection else None
        data = StoredData(Location(location, metadata), upload.size, virtual_size, **self._hashes.values(digests))
        # What was reserved for the transfer is free now, so that the data does not count twice.
        self._release(job, upload)
        self._stack.call(context_of(job), RecordImport(job, data, {}, "active"))

    def _copy(self, job: Job, upload: _Upload, control: Control) -> str:
        """Return the location of a copy of what was sent, which nobody else can change."""
        known = job.checkpoint.get(_COPY)
        self._discard(upload.store, [name for name in self._names(job) if name != known])
        if known is not None:
            return str(job.checkpoint[_LOCATION])
        name = self._names(job)[-1]
        control.check()
        written = upload.store.adopt(upload.transfer.name, name, upload.size)
        control.checkpoint({_COPY: name, _LOCATION: written.location})
        return written.location

    def _release(self, job: Job, upload: _Upload) -> None:
        """Free what the transfer has reserved; its row stays until its lease ends, for what may still be sent."""
        self._stack.call(context_of(job), AbortTransfer(upload.transfer, has_remains=True, keeps_lease=True))

    def _forget_link(self, job: Job) -> None:
        with suppress(NotFound):
            self._stack.call(context_of(job), DeleteLink(str(job.image_id), link_id=str(job.input["link_id"])))

    def _upload(self, job: Job, image: Image) -> _Upload:
        size = job.input["size"]
        assert isinstance(size, int)
        link = Link(str(job.input["link_id"]), image.id, size=size, store=str(job.input["store"]))
        return _Upload(self._store(job, image.owner), size, transfer_of(link, image.owner))

    def _store(self, job: Job, owner: str | None) -> Store:
        return self._stores.get(str(job.input["store"])).for_caller(Caller(owner))

    def _names(self, job: Job) -> list[str]:
        """Return the names of the copies of all attempts, that of this one last."""
        return [f"{job.image_id}-{job.id[:8]}-{attempt}" for attempt in range(1, max(job.attempts, 1) + 1)]

    def _load(self, job: Job) -> Image:
        return self._stack.call(context_of(job), LoadImage(str(job.image_id), purpose="upload_data"))

    def _discard(self, store: Store, names: list[str]) -> None:
        for name in names:
            try:
                store.discard(name)
            except store_errors.StoreError as error:
                LOG.warning("The remains of an upload, %s, could not be removed: %s", name, error)
