"""The import of an image as a job: source, plugins, stores, records (reference 6.4).

It may be begun again at any point: what is recorded on the image counts, everything else is written anew under the name
of the attempt, and what earlier attempts left is removed.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from oslo_config import cfg

from glance_mini.content.fanout import NotWritten
from glance_mini.content.hashes import ExpectedHashes
from glance_mini.content.signatures import PROPERTIES, Certificates, SignatureCheck, no_certificates, signature_check
from glance_mini.db.job_interface import JobAccess
from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    Conflict,
    GlanceMiniError,
    Gone,
    Invalid,
    LimitExceeded,
    NotFound,
    Unavailable,
    UnsafeContent,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import COPY_IMAGE, FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY, ImportRequest
from glance_mini.domain.job import Job
from glance_mini.domain.transfer import StoredData
from glance_mini.imports.copying import Copied, Copier, read_file
from glance_mini.imports.methods import ImportMethod, Source, load_methods
from glance_mini.imports.plugins.base import ImportPlugin, StagedFile
from glance_mini.imports.plugins.pipeline import load_plugins, run_plugins
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.staging import StagingArea
from glance_mini.operations.images import LoadImage
from glance_mini.operations.imports import EndImport, RecordImport
from glance_mini.workers.base import Control, JobFailed, JobStopped, JobType
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores
from glance_mini_store.streams import close

LOG = logging.getLogger(__name__)

_FORMATS = ("disk_format", "container_format")

_FAILED = "failed_stores"
"""The key of a checkpoint for the stores that were at fault in an attempt."""

FINAL = (Invalid, UnsafeContent, LimitExceeded, Conflict)
"""Errors that no further attempt can mend."""


@dataclass(frozen=True)
class Plan:
    """What a job asks for, and the names under which its attempts write."""

    job: Job
    request: ImportRequest
    stores: tuple[str, ...]

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the plan in the input of ``job``."""
        body: Any = job.input["import_req"]
        stores: Any = job.input["backend"]
        request = ImportRequest(
            method=body["method"],
            all_stores_must_succeed=body.get("all_stores_must_succeed", True),
            expected_hashes=body.get("expected_hash", {}),
        )
        return cls(job, request, tuple(stores))

    @property
    def is_copy(self) -> bool:
        """Whether the image is active already and stays so."""
        return self.request.name == COPY_IMAGE

    @property
    def name(self) -> str:
        """The name of what this attempt writes."""
        return self._name(self.job.attempts)

    @property
    def names(self) -> list[str]:
        """The names of everything that was written for the job."""
        return [self._name(attempt) for attempt in range(1, self.job.attempts + 1)]

    def _name(self, attempt: int) -> str:
        return f"{self.job.image_id}-{self.job.id[:8]}-{attempt}"


class ImportJob(JobType):
    """Imports the data of one image into one or several stores."""

    kind = "api_image_import"

    def __init__(
        self,
        stack: Stack,
        staging: StagingArea,
        stores: Stores,
        methods: Mapping[str, ImportMethod],
        plugins: Sequence[ImportPlugin],
        copier: Copier,
        work_directory: Path,
        size_cap: int,
        certificates: Certificates = no_certificates,
    ) -> None:
        """``work_directory`` takes the files that plugins make, best on the file system of a store."""
        self._stack = stack
        self._staging = staging
        self._stores = stores
        self._methods = methods
        self._plugins = plugins
        self._copier = copier
        self._work_directory = work_directory
        self._size_cap = size_cap
        self._certificates = certificates

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack, jobs: JobAccess) -> Self:
        return cls(
            stack,
            StagingArea(jobs, services.stores, services.address),
            services.stores,
            cls._load_methods(conf, services),
            load_plugins(conf),
            Copier.from_config(conf, services.stores),
            Path(conf.task.work_dir),
            conf.image_size_cap,
            services.certificates,
        )

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            return self._run(self._plan(job), control)
        except FINAL as error:
            raise JobFailed(reason=str(error)) from error

    def give_up(self, job: Job, reason: str) -> None:
        """Undo what was stored, unless single stores may fail and one did not, and free the image."""
        plan, caller = self._plan(job), context_of(job)
        shutil.rmtree(self._work_directory / job.id, ignore_errors=True)
        try:
            image = self._load(caller, job)
            self._copier.discard(plan.names, self._missing(plan, image))
            if _is_locked(image, job):
                self._staging.drop(image.id)
                self._undo(caller, plan, image)
        except (Gone, NotFound):
            LOG.info("Image %s was deleted during its import.", job.image_id)
            self._copier.discard(plan.names, plan.stores)
            self._staging.drop(str(job.image_id))

    @classmethod
    def _load_methods(cls, conf: cfg.ConfigOpts, services: Services) -> Mapping[str, ImportMethod]:
        return load_methods(conf, services)

    def _plan(self, job: Job) -> Plan:
        return Plan.of(job)

    def _undo(self, caller: Context, plan: Plan, image: Image) -> None:
        # An image that this import has made active already is left to its users.
        is_open = plan.is_copy or image.status == "importing"
        is_undone = is_open and plan.request.all_stores_must_succeed
        undone = tuple(each.url for each in image.locations if is_undone and self._store_of(each) in plan.stores)
        missing = plan.stores if undone else self._missing(plan, image)
        failed = [store for store in missing if store in _failed_of(plan.job)] or missing
        self._end(caller, plan, failed, "queued" if image.status == "importing" else None, undone)

    def _run(self, plan: Plan, control: Control) -> Mapping[str, object]:
        job, caller = plan.job, context_of(plan.job)
        # Also where nothing is left to do: a worker that died after its last record has left its files.
        shutil.rmtree(self._work_directory / job.id, ignore_errors=True)
        image = self._load(caller, job)
        missing = self._missing(plan, image)
        if not _is_locked(image, job):
            return _earlier_end(plan, missing)
        failed: Sequence[str] = ()
        if missing:
            try:
                failed = self._import(caller, plan, image, missing, control)
            except JobFailed:
                if plan.is_copy or image.status == "importing":
                    raise
                # An earlier attempt has made the image active, which is enough; its source may be gone by now.
                failed = missing
        # Once the lock is given back, what is staged may be that of the next import.
        self._staging.drop(image.id)
        self._end(caller, plan, failed, None)
        return {"image_id": job.image_id}

    def _import(
        self, caller: Context, plan: Plan, image: Image, missing: Sequence[str], control: Control
    ) -> Sequence[str]:
        """Bring the data to the stores ``missing`` and record each copy; return the stores that failed."""
        self._copier.discard(plan.names[:-1], missing)
        # What earlier attempts have stored counts: with it all stores of this one may fail.
        most = len(missing) - (len(missing) == len(plan.stores))
        may_fail = 0 if plan.request.all_stores_must_succeed else most
        expected, failures = plan.request.expected_hashes, dict[str, Exception]()
        while rest := [store for store in missing if store not in failures]:
            with self._source(plan, image, control) as source:
                try:
                    left = may_fail - len(failures)
                    copied = self._copier.copy(source, image, plan.name, rest, expected, left, control)
                except NotWritten as error:
                    # Where one store is enough, those that were not tried yet get their chance from a new source.
                    failures |= error.failures
                    if len(failures) > may_fail:
                        _note_failed(plan.job, list(failures), control)
                        raise _cause(NotWritten(failures)) from error
                    continue
                outcomes = {**failures, **copied.outcomes}
                copied = replace(copied, outcomes={store: outcomes[store] for store in missing})
                self._record(caller, plan, source, copied, control)
                failures = copied.failures
                break
        for store, failure in failures.items():
            LOG.warning("Import %s could not write to store %s: %s", plan.job.id, store, failure)
        return list(failures)

    @contextmanager
    def _source(self, plan: Plan, image: Image, control: Control) -> Iterator[Source]:
        """Open the source and let it pass the plugins; what these have made is removed at the end."""
        method = self._method(plan)
        with self._workspace(plan.job) as directory:
            source = method.open(plan.job, plan.request, image, lambda seconds: _pause(seconds, control))
            if not plan.is_copy:
                source = self._with_signature(plan.job, image, source)
            if self._plugins and method.has_plugins:
                source = self._apply_plugins(plan.job, source, image, directory, control)
            yield source

    def _missing(self, plan: Plan, image: Image) -> list[str]:
        """Return the stores in which the image has no data yet, in their order."""
        have = {self._store_of(location) for location in image.locations}
        return [store for store in plan.stores if store not in have]

    def _store_of(self, location: Location) -> str | None:
        try:
            return self._stores.for_location(location.url, location.store).id
        except store_errors.StoreError:
            return location.store

    def _load(self, caller: Context, job: Job) -> Image:
        image: Image = self._stack.call(caller, LoadImage(str(job.image_id)))
        return image

    def _method(self, plan: Plan) -> ImportMethod:
        method = self._methods.get(plan.request.name)
        if method is None:
            raise JobFailed(reason=f"The import method {plan.request.name} is not enabled here.")
        return method

    @contextmanager
    def _workspace(self, job: Job) -> Iterator[Path]:
        """Give a directory of this attempt alone; Unavailable where files of it cannot be written or read."""
        own = self._work_directory / job.id
        directory = own / str(job.attempts)
        try:
            if self._plugins:
                directory.mkdir(parents=True, mode=0o700)
            yield directory
        except OSError as error:
            LOG.error("Import %s cannot use a file: %r", job.id, error)
            reason = error.strerror or "I/O error"
            raise Unavailable(reason=f"The worker cannot use its files: {reason}.") from error
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def _with_signature(self, job: Job, image: Image, source: Source) -> Source:
        """Return ``source`` with what judges its data, where the image is signed; closes it where that fails."""
        try:
            fetch_certificate = self._certificates(job.token, job.project_id)
            check = signature_check({**image.properties, **source.properties}, fetch_certificate)
        except BaseException:
            close(source.chunks)
            raise
        return replace(source, signature=check)

    def _apply_plugins(self, job: Job, source: Source, image: Image, directory: Path, control: Control) -> Source:
        """Return the source that the plugins make of ``source``, which is judged and a local file before they see it.

        A signature is that of the data before the plugins, also where they are who say that there is one.
        """
        try:
            path = self._fetch(source, directory / "source", control)
        finally:
            close(source.chunks)
        attributes: dict[str, Any] = {"properties": {**image.properties, **source.properties}, **source.attributes}
        staged = StagedFile(path, directory, replace(image, **attributes), self._size_cap)
        result = run_plugins(self._plugins, staged, job.roles, control.check, control.tell)
        formats = {name: str(value) for name, value in result.attributes.items() if name.endswith("_format")}
        properties = {**source.properties, **result.properties}
        if not result.properties.keys().isdisjoint(PROPERTIES):
            judged_again = Source(read_file(path), None, path, properties=properties)
            self._fetch(self._with_signature(job, image, judged_again), path, control)
        return Source(
            read_file(result.path),
            result.path.stat().st_size,
            result.path,
            source.expected_hashes if result.path == path else {},
            {**source.attributes, **formats},
            properties,
        )

    def _fetch(self, source: Source, path: Path, control: Control) -> Path:
        """Return a file with the data of ``source``, its own or ``path``; raises HashMismatch, SignatureInvalid."""
        if source.path is not None and source.signature is None:
            return source.path
        judges: list[ExpectedHashes | SignatureCheck] = [ExpectedHashes(source.expected_hashes)]
        if source.signature is not None:
            judges.append(source.signature)
        # What is in a file of its own already is only read.
        with open(os.devnull if source.path else path, "wb", buffering=0) as file:
            for chunk in self._copier.progress(control, "Fetched", source.size).watch(source.chunks):
                for judge in judges:
                    judge.update(chunk)
                file.write(chunk)
        for judge in judges:
            judge.finish()
        return source.path or path

    def _record(self, caller: Context, plan: Plan, source: Source, copied: Copied, control: Control) -> None:
        """Record the copies one by one: the image becomes active with the last, or with the first where it may."""
        left = list(copied.stored)
        try:
            while left:
                control.check()
                self._record_one(caller, plan, source, copied, left)
                del left[0]
        except (JobStopped, Gone):
            # Whoever has the job now cannot know when this attempt will have come to its end.
            self._copier.discard([plan.name], left)
            raise

    def _record_one(self, caller: Context, plan: Plan, source: Source, copied: Copied, left: Sequence[str]) -> None:
        rest = left[1:]
        is_active = not plan.is_copy and (not rest or not plan.request.all_stores_must_succeed)
        progress = {IMPORTING_PROPERTY: ",".join(rest), FAILED_PROPERTY: ",".join(copied.failures)}
        data = self._stored_data(copied, left[0])
        if is_active:
            # An import that fails before leaves nothing that its source or its plugins have told.
            formats: dict[str, Any] = {name: source.attributes.get(name) for name in _FORMATS}
            data, progress = replace(data, **formats), {**source.properties, **progress}
        self._stack.call(caller, RecordImport(plan.job, data, progress, "active" if is_active else None))

    def _stored_data(self, copied: Copied, store: str) -> StoredData:
        stored, algorithm = copied.stored[store], self._copier.hash_algorithm
        named = {"store": store} if self._stores.multi else {}
        return StoredData(
            location=Location(stored.location, {**stored.metadata, **named}),
            size=copied.size,
            virtual_size=copied.virtual_size,
            checksum=copied.digests["md5"],
            os_hash_algo=algorithm,
            os_hash_value=copied.digests[algorithm],
        )

    def _end(
        self, caller: Context, plan: Plan, failed: Sequence[str], status: str | None, drop: tuple[str, ...] = ()
    ) -> None:
        properties = {TASK_PROPERTY: None, IMPORTING_PROPERTY: "", FAILED_PROPERTY: ",".join(failed)}
        self._stack.call(caller, EndImport(plan.job, properties, status, drop))


def context_of(job: Job) -> Context:
    """Return the caller in whose name a job acts."""
    return Context(
        user_id=job.user_id,
        project_id=job.project_id,
        roles=job.roles,
        is_admin="admin" in job.roles,
        request_id=job.request_id or "",
    )


def _note_failed(job: Job, stores: Sequence[str], control: Control) -> None:
    """Note which stores are at fault, for the end of this attempt."""
    control.checkpoint({**job.checkpoint, _FAILED: {"attempt": job.attempts, "stores": list(stores)}})


def _failed_of(job: Job) -> Sequence[str]:
    """Return the stores that were at fault in the last attempt, none where it failed for another reason."""
    noted: Any = job.checkpoint.get(_FAILED, {})
    return noted["stores"] if noted.get("attempt") == job.attempts else ()


def _is_locked(image: Image, job: Job) -> bool:
    return image.properties.get(TASK_PROPERTY) == job.id


def _earlier_end(plan: Plan, missing: Sequence[str]) -> Mapping[str, object]:
    """Return the result of an import that ended in an attempt before, whose worker could not write it down."""
    if missing and (plan.request.all_stores_must_succeed or len(missing) == len(plan.stores)):
        raise JobFailed(reason="The import was undone.")
    return {"image_id": plan.job.image_id}


def _cause(error: NotWritten) -> Exception:
    """Return what ends the attempt: one failure that may pass makes the whole worth another one."""
    for failure in error.failures.values():
        is_known = isinstance(failure, store_errors.StoreError | GlanceMiniError)
        if not is_known or isinstance(failure, store_errors.RemoteServiceUnavailable):
            return failure
    return JobFailed(reason=str(error))


def _pause(seconds: float, control: Control) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        control.check()
        time.sleep(min(left, 0.5))
