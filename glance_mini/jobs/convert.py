"""Stores the disk of an image in another format, in place of its data or as a new image (api-incremental-convert).

qcow2 and raw are read here. qemu-img reads the other formats, from a local file that was inspected before, and its
result is stored from a local file, too; both are removed at the end of each attempt.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from oslo_config import cfg

from glance_mini.content.disks import DISK_FORMATS, Disk, DiskSource, OpenedDisk, files_of, raw_disk
from glance_mini.content.qcow2.complete import CompleteDisk
from glance_mini.domain.errors import ConfigurationError, Gone, NotFound, Unavailable
from glance_mini.domain.image import Image
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import CONVERT, Job
from glance_mini.imports.plugins.base import StagedFile
from glance_mini.imports.plugins.conversion import ImageConversion
from glance_mini.jobs.replace_data import NewData, ReplacementJob
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.bases import LoadChain
from glance_mini.operations.records import EndImport, RecordImport
from glance_mini.workers.base import Control, JobFailed, context_of
from glance_mini_store.buffers import COPY
from glance_mini_store.streams import FileRange

LOG = logging.getLogger(__name__)


class ConvertJob(ReplacementJob):
    """Stores the disk of an image in another format; its input names the source if that is another image."""

    kind = CONVERT

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        job_type = super().from_config(conf, services, stack)
        job_type._programs = _Programs(conf, Path(conf.task.work_dir), conf.image_size_cap)
        return job_type

    _programs: "_Programs | None" = None

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            return super().run(job, control)
        finally:
            self._clear(job)

    def give_up(self, job: Job, reason: str) -> None:
        """Remove what was written; an image that the job has made new is queued again."""
        self._clear(job)
        if "source" in job.input:
            try:
                image = self._load(job)
                if image.status == "importing":
                    self._discard(job, image)
                    self._stack.call(context_of(job), EndImport(job, {TASK_PROPERTY: None}, "queued"))
                return
            except (Gone, NotFound):
                LOG.info("Image %s was deleted before it had data.", job.image_id)
        super().give_up(job, reason)

    def prepare(self, job: Job, chain: tuple[Image, ...], control: Control) -> NewData:
        image, wanted = chain[0], str(job.input["disk_format"])
        if image.disk_format not in DISK_FORMATS:
            return NewData(self._by_program(job, image, wanted, control), wanted)
        if image.base is not None and "source" not in job.input:
            raise JobFailed(reason="The image is based on another one.")
        if wanted == "raw":
            return NewData(raw_disk(self._disks, chain), wanted)
        disk: Disk = CompleteDisk(self._disks.chain(chain))
        return NewData(OpenedDisk(disk, None, None), wanted)

    def _run(self, job: Job, control: Control) -> Mapping[str, object]:
        return super()._run(job, control) if "source" not in job.input else self._run_new(job, control)

    def _run_new(self, job: Job, control: Control) -> Mapping[str, object]:
        """Store the data of a new image."""
        image, caller = self._load(job), context_of(job)
        self._discard(job, image)
        if image.status == "importing":
            chain = self._stack.call(caller, LoadChain(str(job.input["source"])))
            if chain[0].status != "active":
                raise JobFailed(reason=f"Image {chain[0].id} is {chain[0].status}; it must be active.")
            data = self._store(job, image, self.prepare(job, chain, control), control)
            control.check()
            self._stack.call(caller, RecordImport(job, data, {}, "active"))
        self._stack.call(caller, EndImport(job, {TASK_PROPERTY: None}))
        return {"image_id": image.id}

    def _by_program(self, job: Job, image: Image, wanted: str, control: Control) -> OpenedDisk:
        """Return the disk as qemu-img converts it; raises JobFailed if this worker has no such program."""
        programs = self._programs
        if programs is None:
            raise JobFailed(reason="This worker has no folder for conversions.")
        directory = programs.directory / job.id / str(job.attempts)
        try:
            directory.mkdir(parents=True, mode=0o700)
            staged = StagedFile(directory / "source", directory, image, programs.size_cap, self._copier.buffers)
            self._fetch(staged, control)
            control.report_progress("Converting")
            return OpenedDisk(
                _File(programs.conversion(wanted).apply(staged, job.roles, control.check).path), None, None
            )
        except ConfigurationError as error:
            raise JobFailed(reason=f"This worker cannot convert {image.disk_format}: {error}") from error
        except OSError as error:
            LOG.warning("Job %s cannot use a file: %r", job.id, error)
            raise Unavailable(reason=f"The worker cannot use its files: {error.strerror or 'I/O error'}.") from error

    def _fetch(self, staged: StagedFile, control: Control) -> None:
        """Write the data of the image to a local file."""
        image, size = staged.image, staged.image.size or 0
        if size > staged.limit:
            raise JobFailed(reason=f"The image has more than {staged.limit} bytes.")
        plain = self._disks.plain(image)
        source = DiskSource(self._disks.stores, lambda: OpenedDisk(plain, files_of([image]), None))
        progress = self._copier.progress(control, "Fetched", size)
        with (
            self._copier.buffers.share(COPY, control.check),
            closing(source.open(0, size, False)) as chunks,
            open(staged.path, "wb", buffering=0) as file,
        ):
            for chunk in progress.watch(chunks):
                file.write(chunk)

    def _clear(self, job: Job) -> None:
        if self._programs is not None:
            shutil.rmtree(self._programs.directory / job.id, ignore_errors=True)


@dataclass(frozen=True)
class _Programs:
    """What a conversion by a program needs: a folder, and the largest file in bytes."""

    conf: cfg.ConfigOpts
    directory: Path
    size_cap: int

    def conversion(self, wanted: str) -> ImageConversion:
        """Return the converter to a format; raises ConfigurationError without its programs."""
        return ImageConversion.from_config(self.conf, wanted)


@dataclass(frozen=True)
class _File:
    """A local file as a disk."""

    path: Path

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self.path.stat().st_size

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``offset``."""
        left = self.size - offset if length is None else length
        return FileRange(open(self.path, "rb", buffering=0), offset, left)
