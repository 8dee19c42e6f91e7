"""The import of an image as a job: source, plugins, stores, records (reference 6.4).

It may be begun again at any point: what is recorded on the image counts, everything else is written anew under the name
of the attempt, and what earlier attempts left is removed.
"""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from oslo_config import cfg

from glance_mini.db.job_interface import JobAccess
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, GlanceMiniError, Gone, Invalid, LimitExceeded, NotFound, UnsafeContent
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import COPY_IMAGE, FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY, ImportRequest
from glance_mini.domain.job import Job
from glance_mini.domain.transfer import StoredData
from glance_mini.imports.copying import Copied, Copier, read_file
from glance_mini.imports.expected_hashes import ExpectedHashes
from glance_mini.imports.fanout import NotWritten
from glance_mini.imports.methods import ImportMethod, Source, load_methods
from glance_mini.imports.plugins.base import ImportPlugin, StagedFile
from glance_mini.imports.plugins.pipeline import load_plugins, run_plugins
from glance_mini.inspection import InspectionRules
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.images import LoadImage
from glance_mini.operations.imports import EndImport, RecordImport
from glance_mini.workers.base import Control, JobFailed, JobStopped, JobType
from glance_mini_store import errors as store_errors
from glance_mini_store.registry import Stores
from glance_mini_store.streams import close

LOG = logging.getLogger(__name__)

_FORMATS = ("disk_format", "container_format")

_FINAL = (Invalid, UnsafeContent, LimitExceeded, Conflict)
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
        jobs: JobAccess,
        stores: Stores,
        methods: Mapping[str, ImportMethod],
        plugins: Sequence[ImportPlugin],
        copier: Copier,
        work_directory: Path,
        size_cap: int,
    ) -> None:
        """``work_directory`` takes the files that plugins make, best on the file system of a store."""
        self._stack = stack
        self._jobs = jobs
        self._stores = stores
        self._methods = methods
        self._plugins = plugins
        self._copier = copier
        self._work_directory = work_directory
        self._size_cap = size_cap

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack, jobs: JobAccess) -> Self:
        return cls(
            stack,
            jobs,
            services.stores,
            load_methods(conf, services),
            load_plugins(conf),
            Copier(services.stores, InspectionRules.from_config(conf), conf.hashing_algorithm),
            Path(conf.task.work_dir),
            conf.image_size_cap,
        )

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            return self._run(Plan.of(job), control)
        except _FINAL as error:
            raise JobFailed(reason=str(error)) from error

    def give_up(self, job: Job, reason: str) -> None:
        """Undo what was stored, unless single stores may fail and one did not, and free the image."""
        plan, caller = Plan.of(job), context_of(job)
        shutil.rmtree(self._work_directory / job.id, ignore_errors=True)
        try:
            image = self._load(caller, job)
            self._copier.discard(plan.names, self._missing(plan, image))
            if _is_locked(image, job):
                self._drop_staged(job)
                self._undo(caller, plan, image)
        except (Gone, NotFound):
            LOG.info("Image %s was deleted during its import.", job.image_id)
            self._copier.discard(plan.names, plan.stores)

    def _undo(self, caller: Context, plan: Plan, image: Image) -> None:
        # An image that this import has made active already is left to its users.
        is_open = plan.is_copy or image.status == "importing"
        is_undone = is_open and plan.request.all_stores_must_succeed
        undone = tuple(each.url for each in image.locations if is_undone and self._store_of(each) in plan.stores)
        failed = plan.stores if undone else self._missing(plan, image)
        self._end(caller, plan, failed, "queued" if image.status == "importing" else None, undone)

    def _run(self, plan: Plan, control: Control) -> Mapping[str, object]:
        job, caller = plan.job, context_of(plan.job)
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
        self._drop_staged(job)
        self._end(caller, plan, failed, None)
        return {"image_id": job.image_id}

    def _import(
        self, caller: Context, plan: Plan, image: Image, missing: Sequence[str], control: Control
    ) -> Sequence[str]:
        """Bring the data to the stores ``missing``; return those that failed."""
        self._copier.discard(plan.names[:-1], missing)
        method = self._method(plan)
        with self._workspace(plan.job) as directory:
            source = method.open(plan.job, plan.request, image, lambda seconds: _pause(seconds, control))
            if self._plugins and method.has_plugins:
                source = self._apply_plugins(plan.job, source, image, directory, control)
            return self._store(caller, plan, source, image, missing, control)

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
        """Give a directory of this attempt alone; those of earlier attempts are removed."""
        own = self._work_directory / job.id
        directory = own / str(job.attempts)
        shutil.rmtree(own, ignore_errors=True)
        if self._plugins:
            directory.mkdir(parents=True, mode=0o700)
        try:
            yield directory
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def _apply_plugins(self, job: Job, source: Source, image: Image, directory: Path, control: Control) -> Source:
        """Return the source that the plugins make of ``source``, which is brought into a local file first."""
        try:
            path = source.path or _fetch(source, directory / "source", control)
        finally:
            close(source.chunks)
        attributes: dict[str, Any] = {"properties": {**image.properties, **source.properties}, **source.attributes}
        staged = StagedFile(path, directory, replace(image, **attributes), self._size_cap)
        result = run_plugins(self._plugins, staged, job.roles, control.check)
        formats = {name: str(value) for name, value in result.attributes.items() if name.endswith("_format")}
        return Source(
            read_file(result.path),
            result.path.stat().st_size,
            result.path,
            source.expected_hashes if result.path == path else {},
            {**source.attributes, **formats},
            {**source.properties, **result.properties},
        )

    def _store(
        self, caller: Context, plan: Plan, source: Source, image: Image, missing: Sequence[str], control: Control
    ) -> Sequence[str]:
        """Bring the data to the stores ``missing`` and record each copy; return the stores that failed."""
        # What earlier attempts have stored counts: with it all stores of this one may fail.
        most = len(missing) - (len(missing) == len(plan.stores))
        may_fail = 0 if plan.request.all_stores_must_succeed else most
        expected = plan.request.expected_hashes
        try:
            copied = self._copier.copy(source, image, plan.name, missing, expected, may_fail, control)
        except NotWritten as error:
            raise _cause(error) from error
        for store, failure in copied.failures.items():
            LOG.warning("Import %s could not write to store %s: %s", plan.job.id, store, failure)
        self._record(caller, plan, source, copied, control)
        return list(copied.failures)

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

    def _drop_staged(self, job: Job) -> None:
        """Remove the staged data of the image, first the bytes and then their record; may be repeated."""
        staged = self._jobs.get_staged(str(job.image_id))
        if staged is None:
            return
        try:
            self._stores.get(staged.store).delete(staged.url)
        except store_errors.NotFound:
            pass
        except store_errors.StoreError as error:
            LOG.warning("Staged data of image %s could not be removed: %s", job.image_id, error)
            return
        self._jobs.forget_staged(str(job.image_id))


def context_of(job: Job) -> Context:
    """Return the caller in whose name a job acts."""
    return Context(
        user_id=job.user_id,
        project_id=job.project_id,
        roles=job.roles,
        is_admin="admin" in job.roles,
        request_id=job.request_id or "",
    )


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


def _fetch(source: Source, path: Path, control: Control) -> Path:
    """Write the data of ``source`` to ``path``; raises HashMismatch."""
    expected = ExpectedHashes(source.expected_hashes)
    with path.open("wb", buffering=0) as file:
        for chunk in source.chunks:
            control.check()
            expected.update(chunk)
            file.write(chunk)
    expected.finish()
    return path


def _pause(seconds: float, control: Control) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        control.check()
        time.sleep(min(left, 0.5))
