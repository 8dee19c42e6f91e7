"""Prepares the data of an import for copying: opens the source, verifies it and runs the plugins."""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from glance_mini.content.hashes import ExpectedHashes
from glance_mini.content.signatures import PROPERTIES, Certificates, SignatureCheck, no_certificates, signature_check
from glance_mini.domain.errors import Unavailable
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.imports.copying import Copier, read_file
from glance_mini.imports.methods import ImportMethod, Source
from glance_mini.imports.plan import Plan
from glance_mini.imports.plugins.base import Attributes, Formats, ImportPlugin, StagedFile
from glance_mini.imports.plugins.pipeline import run_plugins
from glance_mini.workers.base import Control, JobFailed
from glance_mini_store.buffers import COPY
from glance_mini_store.streams import close

LOG = logging.getLogger(__name__)


class Preparation:
    """Opens sources by import method and applies the plugins; one object serves all jobs."""

    def __init__(
        self,
        methods: Mapping[str, ImportMethod],
        plugins: Sequence[ImportPlugin],
        copier: Copier,
        work_directory: Path,
        size_cap: int,
        certificates: Certificates = no_certificates,
    ) -> None:
        """``work_directory`` holds the files of the plugins, best on the file system of a store."""
        self._methods = methods
        self._plugins = plugins
        self._copier = copier
        self._work_directory = work_directory
        self._size_cap = size_cap
        self._certificates = certificates

    def clear(self, job: Job) -> None:
        """Remove the files that attempts of ``job`` left in the work directory."""
        shutil.rmtree(self._work_directory / job.id, ignore_errors=True)

    @contextmanager
    def source(self, plan: Plan, image: Image, control: Control) -> Iterator[Source]:
        """Yield the source after the plugins; the files of the plugins are removed at the end."""
        method = self._method(plan)
        with self._workspace(plan.job) as directory:
            source = method.open(plan.job, plan.request, image, lambda seconds: _pause(seconds, control))
            if not plan.is_copy:
                source = self._with_signature(plan.job, image, source)
            if self._plugins and method.has_plugins:
                source = self._apply_plugins(plan.job, source, image, directory, control)
            yield source

    def _method(self, plan: Plan) -> ImportMethod:
        method = self._methods.get(plan.request.name)
        if method is None:
            raise JobFailed(reason=f"The import method {plan.request.name} is not enabled here.")
        return method

    @contextmanager
    def _workspace(self, job: Job) -> Iterator[Path]:
        """Yield a directory for this attempt only; raises Unavailable if its files cannot be written or read."""
        own = self._work_directory / job.id
        directory = own / str(job.attempts)
        try:
            if self._plugins:
                directory.mkdir(parents=True, mode=0o700)
            yield directory
        except OSError as error:
            LOG.warning("Import %s cannot use a file: %r", job.id, error)
            reason = error.strerror or "I/O error"
            raise Unavailable(reason=f"The worker cannot use its files: {reason}.") from error
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def _with_signature(self, job: Job, image: Image, source: Source) -> Source:
        """Return ``source``, with a signature check if the image is signed; closes it on errors."""
        try:
            fetch_certificate = self._certificates(job.token, job.project_id)
            properties: dict[str, str | None] = {**image.properties, **source.properties}
            check = signature_check(properties, fetch_certificate)
        except BaseException:
            close(source.chunks)
            raise
        return replace(source, signature=check)

    def _apply_plugins(self, job: Job, source: Source, image: Image, directory: Path, control: Control) -> Source:
        """Return the source with the results of the plugins; they get ``source`` as a local file that was verified.

        A signature covers the data before the plugins, also if a plugin sets the properties of the signature.
        """
        try:
            path = self._fetch(source, directory / "source", control)
        finally:
            close(source.chunks)
        current = replace(image, properties={**image.properties, **source.properties}, **source.attributes)
        staged = StagedFile(path, directory, current, self._size_cap, self._copier.buffers)
        result = run_plugins(self._plugins, staged, job.roles, control.check, control.report_progress)
        properties = {**source.properties, **result.properties}
        if not result.properties.keys().isdisjoint(PROPERTIES):
            judged_again = Source(read_file(path), None, path, properties=properties)
            self._fetch(self._with_signature(job, image, judged_again), path, control)
        return Source(
            read_file(result.path),
            result.path.stat().st_size,
            result.path,
            source.expected_hashes if result.path == path else {},
            _formats({**source.attributes, **result.attributes}),
            properties,
        )

    def _fetch(self, source: Source, path: Path, control: Control) -> Path:
        """Return a file with the verified data, ``source.path`` or ``path``; raises HashMismatch, SignatureInvalid."""
        if source.path is not None and source.signature is None:
            return source.path
        judges: list[ExpectedHashes | SignatureCheck] = [ExpectedHashes(source.expected_hashes)]
        if source.signature is not None:
            judges.append(source.signature)
        # Data that is in a file already is only read.
        with (
            self._copier.buffers.share(COPY, control.check),
            open(os.devnull if source.path else path, "wb", buffering=0) as file,
        ):
            for chunk in self._copier.progress(control, "Fetched", source.size).watch(source.chunks):
                for judge in judges:
                    judge.update(chunk)
                file.write(chunk)
        for judge in judges:
            judge.finish()
        return source.path or path


def _pause(seconds: float, control: Control) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        control.check()
        time.sleep(min(left, 0.5))


def _formats(attributes: Attributes) -> Formats:
    """Return the formats among ``attributes``; sizes are measured here, and nothing else is taken from a plugin."""
    formats = Formats()
    if "disk_format" in attributes:
        formats["disk_format"] = str(attributes["disk_format"])
    if "container_format" in attributes:
        formats["container_format"] = str(attributes["container_format"])
    return formats
