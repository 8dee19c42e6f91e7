"""The import of an image as a job: source, plugins, stores, records (api-imports-flow).

It may be restarted at any point: data that is recorded on the image is kept, all other data is written again under the
name of the attempt, and remains of earlier attempts are removed.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from oslo_config import cfg

from glance_mini.content.fanout import NotWritten
from glance_mini.domain.bases import DELTA_KEY, DISK_KEY
from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    Conflict,
    GlanceMiniError,
    Gone,
    Invalid,
    LimitExceeded,
    NotFound,
    UnsafeContent,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY
from glance_mini.domain.job import LOCAL_IMPORT, Job
from glance_mini.domain.transfer import StoredData
from glance_mini.imports.copying import Copied, Copier
from glance_mini.imports.methods import ImportMethod, Source, load_methods
from glance_mini.imports.plan import Plan
from glance_mini.imports.plugins.pipeline import load_plugins
from glance_mini.imports.preparation import Preparation
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.staging import StagingArea
from glance_mini.operations.records import EndImport, LoadImage, RecordImport
from glance_mini.workers.base import QUICK, Control, JobFailed, JobStopped, JobType, context_of
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import COPY, Buffers
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

FINAL = (Invalid, UnsafeContent, LimitExceeded, Conflict)
"""Errors that another attempt would meet again."""


class ImportJob(JobType):
    """Imports the data of one image into one or several stores."""

    kind = "api_image_import"

    def __init__(
        self, stack: Stack, staging: StagingArea, stores: Stores, preparation: Preparation, copier: Copier
    ) -> None:
        self._stack = stack
        self._staging = staging
        self._stores = stores
        self._preparation = preparation
        self._copier = copier

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        copier = Copier.from_config(conf, services.stores, cls._buffers(services))
        preparation = Preparation(
            cls._load_methods(conf, services),
            load_plugins(conf),
            copier,
            Path(conf.task.work_dir),
            conf.image_size_cap,
            services.certificates,
        )
        staging = StagingArea(services.data, services.stores, services.node_url)
        return cls(stack, staging, services.stores, preparation, copier)

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            return self._run(self._plan(job), control)
        except FINAL as error:
            raise JobFailed(reason=str(error)) from error

    def give_up(self, job: Job, reason: str) -> None:
        """Unlock the image and undo what was stored, unless stores may fail and at least one has the data."""
        plan, caller = self._plan(job), context_of(job)
        self._preparation.clear(job)
        try:
            image = self._load(caller, job)
            self._copier_of(plan).discard(plan.names, self._missing(plan, image))
            if _is_locked(image, job):
                self._staging.drop(image.id)
                self._undo(caller, plan, image)
        except (Gone, NotFound):
            LOG.info("Image %s was deleted during its import.", job.image_id)
            self._copier_of(plan).discard(plan.names, plan.stores)
            self._staging.drop(str(job.image_id))

    @classmethod
    def _load_methods(cls, conf: cfg.ConfigOpts, services: Services) -> Mapping[str, ImportMethod]:
        return load_methods(conf, services)

    @classmethod
    def _buffers(cls, services: Services) -> Buffers:
        return services.buffers

    def _plan(self, job: Job) -> Plan:
        return Plan.of(job)

    def _undo(self, caller: Context, plan: Plan, image: Image) -> None:
        # An image that this import has made active already is not changed.
        is_open = plan.is_copy or image.status == "importing"
        is_undone = is_open and plan.request.all_stores_must_succeed
        undone = tuple(each.url for each in image.locations if is_undone and self._store_of(each) in plan.stores)
        missing = plan.stores if undone else self._missing(plan, image)
        self._end(caller, plan, missing, "queued" if image.status == "importing" else None, undone)

    def _run(self, plan: Plan, control: Control) -> Mapping[str, object]:
        job, caller = plan.job, context_of(plan.job)
        # Also if nothing is left to do: a worker that died after its last record has left its files.
        self._preparation.clear(job)
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
                # An earlier attempt has made the image active, and that is enough; the source may be gone by now.
                failed = missing
        # Once the lock is released, staged data may belong to the next import.
        self._staging.drop(image.id)
        self._end(caller, plan, failed, None)
        return {"image_id": job.image_id}

    def _import(
        self, caller: Context, plan: Plan, image: Image, missing: Sequence[str], control: Control
    ) -> Sequence[str]:
        """Copy the data to the stores ``missing``, record each copy and return the stores that failed."""
        if image.owner != plan.owner:
            # An administrator imports for another project. Whoever gives up the job must know where its data is.
            plan = plan.of_owner(image.owner)
            control.checkpoint(plan.job.checkpoint)
        copier = self._copier_of(plan)
        copier.discard(plan.names[:-1], missing)
        # Copies of earlier attempts count: with them, all stores of this attempt may fail.
        most = len(missing) - (len(missing) == len(plan.stores))
        may_fail = 0 if plan.request.all_stores_must_succeed else most
        expected, failures = plan.request.expected_hashes, dict[str, Exception]()
        while rest := [store for store in missing if store not in failures]:
            with self._preparation.source(plan, image, control) as source:
                try:
                    left = may_fail - len(failures)
                    copied = copier.copy(source, image, plan.name, rest, expected, left, control)
                except NotWritten as error:
                    # If one store is enough, the stores that were not tried yet are written from a new source.
                    failures |= error.failures
                    if len(failures) > may_fail:
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

    def _copier_of(self, plan: Plan) -> Copier:
        """Return the copier for the project to which the data belongs, for stores that know projects."""
        return self._copier.for_project(plan.owner)

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
        return self._stack.call(caller, LoadImage(str(job.image_id)))

    def _record(self, caller: Context, plan: Plan, source: Source, copied: Copied, control: Control) -> None:
        """Record the copies one by one; the last makes the image active, or the first if stores may fail."""
        left = list(copied.stored)
        try:
            while left:
                control.check()
                self._record_one(caller, plan, source, copied, left)
                del left[0]
        except (JobStopped, Gone):
            # The worker that has the job now cannot know when this attempt ends.
            self._copier_of(plan).discard([plan.name], left)
            raise

    def _record_one(self, caller: Context, plan: Plan, source: Source, copied: Copied, left: Sequence[str]) -> None:
        rest = left[1:]
        is_active = not plan.is_copy and (not rest or not plan.request.all_stores_must_succeed)
        progress = {IMPORTING_PROPERTY: ",".join(rest), FAILED_PROPERTY: ",".join(copied.failures)}
        data = self._stored_data(copied, left[0])
        if source.incremental is not None:
            data = _as_delta(data, source.incremental)
        if is_active:
            # An import that fails earlier leaves no values of its source or plugins on the image.
            disk_format = source.attributes.get("disk_format")
            container_format = source.attributes.get("container_format")
            data = replace(data, disk_format=disk_format, container_format=container_format)
            progress = {**source.properties, **progress}
        self._stack.call(caller, RecordImport(plan.job, data, progress, "active" if is_active else None))

    def _stored_data(self, copied: Copied, store: str) -> StoredData:
        stored = copied.stored[store]
        named = {"store": store} if self._stores.multi else {}
        return StoredData(
            location=Location(stored.location, {**stored.metadata, **named}),
            size=copied.size,
            virtual_size=copied.virtual_size,
            **self._copier.hashes.values(copied.digests),
        )

    def _end(
        self, caller: Context, plan: Plan, failed: Sequence[str], status: str | None, drop: tuple[str, ...] = ()
    ) -> None:
        properties = {TASK_PROPERTY: None, IMPORTING_PROPERTY: "", FAILED_PROPERTY: ",".join(failed)}
        self._stack.call(caller, EndImport(plan.job, properties, status, drop))


class LocalImportJob(ImportJob):
    """An import whose source and stores are on one local file system: it never waits behind downloads."""

    kind = LOCAL_IMPORT
    lane = QUICK

    @classmethod
    def _buffers(cls, services: Services) -> Buffers:
        return services.buffers.split(2 * COPY)


def _as_delta(data: StoredData, image: Image) -> StoredData:
    """Return ``data``, a copy of the stored delta of ``image``, with what is known of the complete disk."""
    known = image.locations[0].metadata
    own = {key: known[key] for key in (DELTA_KEY, DISK_KEY) if key in known}
    return StoredData(
        location=replace(data.location, metadata={**data.location.metadata, **own}),
        size=image.size or 0,
        virtual_size=image.virtual_size,
        checksum=image.checksum,
        os_hash_algo=image.os_hash_algo,
        os_hash_value=image.os_hash_value,
    )


def _is_locked(image: Image, job: Job) -> bool:
    return image.properties.get(TASK_PROPERTY) == job.id


def _earlier_end(plan: Plan, missing: Sequence[str]) -> Mapping[str, object]:
    """Return the result of an import that ended in an earlier attempt without a recorded result; raises JobFailed."""
    if missing and (plan.request.all_stores_must_succeed or len(missing) == len(plan.stores)):
        raise JobFailed(reason="The import was undone.")
    return {"image_id": plan.job.image_id}


def _cause(error: NotWritten) -> Exception:
    """Return the error that ends the attempt: one that allows a retry if any of the failures may pass."""
    for failure in error.failures.values():
        is_known = isinstance(failure, store_errors.StoreError | GlanceMiniError)
        if not is_known or isinstance(failure, store_errors.RemoteServiceUnavailable):
            return failure
    return JobFailed(reason=str(error))
