"""Jobs that give an active image other data with the same disk: coalesce and rebase; ``convert`` has the third.

The new data is written beside the old and takes its place in one transaction, so the image can be read at any moment.
Each attempt writes under a name of its own, and removes what earlier ones have left.
"""

import base64
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from oslo_config import cfg

from glance_mini.content.disks import Disk, Disks, DiskSource, OpenedDisk, complete_disk, files_of, unreadable
from glance_mini.content.qcow2.changed import merged_delta
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.rebasing import Comparison, RebasedDelta
from glance_mini.domain.bases import DISK_KEY, Sharing
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.errors import (
    Conflict,
    Duplicate,
    GlanceMiniError,
    Gone,
    Invalid,
    LimitExceeded,
    NotFound,
    Unavailable,
    UnsafeContent,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import TASK_PROPERTY, ImportRequest
from glance_mini.domain.job import COALESCE, REBASE, Job
from glance_mini.domain.transfer import StoredData
from glance_mini.imports.copying import Copied, Copier
from glance_mini.imports.methods import Source
from glance_mini.imports.plan import Plan
from glance_mini.imports.plugins.base import Formats
from glance_mini.jobs.disk_indexes import DiskIndexes
from glance_mini.layers.location.deltas import IncrementalRules, hashes_job, linked
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.bases import GetDiskIndex, LoadChain, ReplaceData
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.members import AddMember
from glance_mini.operations.records import EndImport, LoadImage
from glance_mini.workers.base import Control, JobFailed, JobType, context_of
from glance_mini_store import errors as store_errors

LOG = logging.getLogger(__name__)

FINAL = (Conflict, Invalid, UnsafeContent, LimitExceeded)
"""Errors that another attempt would meet again."""


@dataclass(frozen=True)
class NewData:
    """What a job stores in place of the data of an image: ``disk``, in ``disk_format``.

    ``bases`` are what it is a delta to, none if it is whole. ``keeps_clusters`` as for ``ReplaceData``. ``disk_id`` is
    the id of the complete disk if that stays, byte for byte.
    """

    disk: OpenedDisk
    disk_format: str
    bases: tuple[Image, ...] = ()
    keeps_clusters: int | None = None
    disk_id: object = None


class ReplacementJob(JobType, ABC):
    """What the kinds have in common; each has ``prepare``."""

    def __init__(self, stack: Stack, disks: Disks, copier: Copier, rules: IncrementalRules) -> None:
        self._stack = stack
        self._disks = disks
        self._copier = copier
        self._rules = rules

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        copier = Copier.from_config(conf, services.stores, services.buffers, services.data.run)
        disks = Disks(services.stores, services.metrics)
        return cls(stack, disks, copier, IncrementalRules.from_config(conf))

    @abstractmethod
    def prepare(self, job: Job, chain: tuple[Image, ...], control: Control) -> NewData:
        """Return the new data of the first image of ``chain``; raises JobFailed and what a store raises."""

    def finish(self, job: Job, image: Image, control: Control) -> None:
        """Do what comes after the new data is recorded; may be repeated. Raises JobFailed."""

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            return self._run(job, control)
        except FINAL as error:
            raise JobFailed(reason=str(error)) from error
        except store_errors.NotFound as error:
            raise unreadable(error) from error

    def give_up(self, job: Job, reason: str) -> None:
        """Remove what was written and unlock the image, which keeps its data."""
        try:
            image = self._load(job)
            self._discard(job, image)
            if image.properties.get(TASK_PROPERTY) == job.id:
                self._stack.call(context_of(job), EndImport(job, {TASK_PROPERTY: None}))
        except (Gone, NotFound):
            LOG.info("Image %s was deleted while its data was replaced.", job.image_id)
            self._discard_of_deleted(job)

    def _discard_of_deleted(self, job: Job) -> None:
        """Remove what was written for a deleted image, but not the recorded data of one that can be restored."""
        wanted = LoadImage(str(job.image_id), of_deleted=True)
        try:
            self._discard(job, self._stack.call(context_of(job), wanted))
        except NotFound:
            copier = self._copier.for_image(str(job.image_id), job.project_id)
            copier.discard(self._plan(job).names, job.stores)

    def _run(self, job: Job, control: Control) -> Mapping[str, object]:
        image = self._load(job)
        self._discard(job, image)
        if image.properties.get(TASK_PROPERTY) != job.id:
            if not self._has_own_data(job, image):
                raise JobFailed(reason="The image was changed by something else.")
            # An earlier attempt died between its record and its end.
            self.finish(job, image, control)
            return {"image_id": image.id}
        chain = self._stack.call(context_of(job), LoadChain(image.id))
        new = self.prepare(job, chain, control)
        data = self._store(job, image, new, control)
        control.check()
        jobs = (hashes_job(context_of(job), image.id),) if new.bases and data.os_hash_value is None else ()
        replaced = self._stack.call(context_of(job), ReplaceData(job, data, new.keeps_clusters, jobs))
        self.finish(job, replaced, control)
        return {"image_id": image.id}

    def _store(self, job: Job, image: Image, new: NewData, control: Control) -> StoredData:
        """Write the new data under the name of this attempt, and return it with its link."""
        if job.attempts > 1:
            # Stores cannot go on with data that is incomplete, and a hash cannot be continued elsewhere.
            control.report_progress(
                f"Writing begins again: attempt {job.attempts - 1} was ended before its data was whole"
            )
        size = new.disk.disk.size
        chunks = DiskSource(self._disks.stores, lambda: new.disk).open(0, size, False)
        source = Source(chunks, size, attributes=Formats(disk_format=new.disk_format))
        copier, plan = self._copier.for_image(image.id, image.owner), self._plan(job)
        copied = copier.copy(source, image, plan.name, job.stores, {}, 0, control)
        try:
            data = self._stored_data(job, image, new, copied)
            return self._linked(data, image, new) if new.bases else data
        except BaseException:
            copier.discard([plan.name], job.stores)
            raise

    def _linked(self, data: StoredData, image: Image, new: NewData) -> StoredData:
        """Return ``data`` with its link, and what is known of the complete disk if that stays the same."""
        found = linked(data, new.bases, self._disks, self._rules)
        if new.disk_id is None:
            return found
        if found.size != image.size:
            raise JobFailed(reason=f"The complete disk would have {found.size} bytes and not {image.size}.")
        metadata = {**found.location.metadata, DISK_KEY: new.disk_id}
        known = {name: getattr(image, name) for name in ("checksum", "os_hash_algo", "os_hash_value")}
        return replace(found, location=replace(found.location, metadata=metadata), **known)

    def _stored_data(self, job: Job, image: Image, new: NewData, copied: Copied) -> StoredData:
        (store,) = job.stores
        stored = copied.stored[store]
        values = self._copier.hashes.values(copied.digests)
        is_comparable = new.disk_id is not None and not new.bases and image.os_hash_algo == values["os_hash_algo"]
        if is_comparable and image.os_hash_value != values["os_hash_value"]:
            raise JobFailed(reason="What was read is not the complete disk that the image had before.")
        named = {"store": store} if self._disks.stores.multi else {}
        own = {} if new.disk_id is None else {DISK_KEY: new.disk_id}
        return StoredData(
            location=Location(stored.location, {**stored.metadata, **named, **own}),
            size=copied.size,
            virtual_size=copied.virtual_size,
            disk_format=new.disk_format,
            **values,
        )

    def _load(self, job: Job) -> Image:
        return self._stack.call(context_of(job), LoadImage(str(job.image_id)))

    def _plan(self, job: Job) -> Plan:
        return Plan(job, ImportRequest({"name": job.kind}), job.stores)

    def _has_own_data(self, job: Job, image: Image) -> bool:
        return any(name in location.url for name in self._plan(job).names for location in image.locations)

    def _discard(self, job: Job, image: Image) -> None:
        """Remove what earlier attempts have left, but not the data that one of them has recorded."""
        names = [
            name for name in self._plan(job).names if not any(name in location.url for location in image.locations)
        ]
        self._copier.for_image(image.id, image.owner).discard(names, job.stores)


class CoalesceJob(ReplacementJob):
    """Stores the complete disk of an incremental image in place of its delta; or a delta to one of its lower bases."""

    kind = COALESCE

    def prepare(self, job: Job, chain: tuple[Image, ...], control: Control) -> NewData:
        image = chain[0]
        if image.base is None:
            raise JobFailed(reason="The image is whole already.")
        files, depth = self._disks.chain(chain), int(str(job.input.get("depth", 0)))
        disk_id = image.locations[0].metadata.get(DISK_KEY)
        if depth:
            if depth >= len(chain) - 1:
                raise JobFailed(reason=f"The image has no more than {depth} bases.")
            opened = OpenedDisk(merged_delta(files, len(chain) - depth), None, None)
        else:
            opened = complete_disk(self._disks, chain, self._stack.call(context_of(job), GetDiskIndex(image.id)))
        bases = chain[len(chain) - depth :]
        return NewData(opened, "qcow2", bases, keeps_clusters=1 << files.cluster_bits, disk_id=disk_id)

    def finish(self, job: Job, image: Image, control: Control) -> None:
        """Make the indexes of images above anew, and share the image if the job was begun for that."""
        indexes = DiskIndexes(partial(self._stack.call, context_of(job)), self._disks, self._rules.index_bytes)
        indexes.renew_above(image.id, control)
        if (wanted := job.input.get("sharing")) is None:
            return
        assert isinstance(wanted, Mapping)
        try:
            self._share(job, image, Sharing(wanted["visibility"], wanted["member"]), wanted["before"])
        except Duplicate:
            LOG.info("Image %s is shared already.", image.id)
        except GlanceMiniError as error:
            if isinstance(error, Unavailable):
                raise
            raise JobFailed(reason=f"The image is whole now, but it could not be shared: {error}") from error

    def _share(self, job: Job, image: Image, wanted: Sharing, before: object) -> None:
        context = context_of(job)
        if wanted.member is not None:
            self._stack.call(context, AddMember(image.id, member_id=wanted.member))
        elif image.visibility == before:
            change = PropertyChange("replace", "visibility", wanted.visibility)
            self._stack.call(context, UpdateImage(image.id, changes=(change,)))
        elif image.visibility != wanted.visibility:
            raise Conflict(reason=f"Its visibility was changed to {image.visibility} meanwhile.")


class RebaseJob(ReplacementJob):
    """Stores what differs from another image in place of the data of an image."""

    kind = REBASE

    def prepare(self, job: Job, chain: tuple[Image, ...], control: Control) -> NewData:
        bases = self._stack.call(context_of(job), LoadChain(str(job.input["base"])))
        if bases[0].status != "active":
            raise JobFailed(reason=f"Image {bases[0].id} is {bases[0].status}; a base must be active.")
        if any(base.id == chain[0].id for base in bases):
            raise JobFailed(reason=f"Image {bases[0].id} is itself based on image {chain[0].id}.")
        old, new = self._disks.chain(chain), self._disks.chain(bases)
        if old.size < new.size:
            raise JobFailed(reason=f"The disk has {old.size} bytes and that of the new base has {new.size}.")
        comparison = self._compare(job, old, new, files_of((*chain, *bases)), control)
        disk: Disk = RebasedDelta(comparison)
        return NewData(OpenedDisk(disk, None, None), "qcow2", bases)

    def _compare(self, job: Job, old: Chain, new: Chain, files: object, control: Control) -> Comparison:
        """Return the finished comparison; it goes on where an earlier attempt has compared the same files."""
        known = job.checkpoint
        begun = base64.b64decode(str(known["comparison"])) if known.get("files") == files else None
        comparison = Comparison(old, new, begun)
        while not comparison.is_done:
            control.check()
            done = comparison.step()
            state = base64.b64encode(comparison.checkpoint()).decode()
            percent = done * 100 // max(old.size, 1)
            control.checkpoint({"files": files, "comparison": state}, f"Compared {percent} %")
        return comparison
