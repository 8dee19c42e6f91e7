"""Keeps the data of images in stores: writes, reads and deletes it, and maintains the list of locations.

``uploads`` writes data to a store, ``imports`` checks import requests, ``locations`` checks new locations, and
``removal`` deletes data.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Self

from oslo_config import cfg

from glance_mini.cache.node import ImageCache
from glance_mini.cache.source import Source
from glance_mini.content.counted import CountedStream
from glance_mini.content.disks import Disks
from glance_mini.content.hashes import ImageHashes
from glance_mini.content.inspection import InspectionRules
from glance_mini.content.signatures import Certificates, no_certificates
from glance_mini.domain.bases import MOST_NAMED
from glance_mini.domain.blocks import BlockPage
from glance_mini.domain.cache import CacheListing, Pruned
from glance_mini.domain.changes import LocationChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Forbidden, GlanceMiniError, Invalid, NotFound, RangeNotSatisfiable
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import PROCESSING, Job
from glance_mini.domain.member import Member
from glance_mini.domain.quota import NO_LIMITS
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.domain.status import PENDING_DELETE, check_transition
from glance_mini.domain.upload_session import UploadSession
from glance_mini.layers.base import Layer
from glance_mini.layers.location.blocks import list_blocks
from glance_mini.layers.location.cache import CACHE_CALLS, CacheCalls
from glance_mini.layers.location.callers import caller_for
from glance_mini.layers.location.deltas import IncomingDelta, IncrementalRules
from glance_mini.layers.location.direct import DirectUrls
from glance_mini.layers.location.disks import choose
from glance_mini.layers.location.imports import ImportRules, prepare_import, prepare_task
from glance_mini.layers.location.links import UploadLinks
from glance_mini.layers.location.locations import (
    check_new_location,
    hash_job,
    is_trusted,
    location_change,
    pinned_metadata,
    resolve_changes,
)
from glance_mini.layers.location.removal import Removal
from glance_mini.layers.location.replacements import (
    begin_coalescing,
    begin_converting,
    begin_flattening,
    begin_rebasing,
)
from glance_mini.layers.location.sessions import SessionRules, UploadSessions
from glance_mini.layers.location.uploads import Uploads
from glance_mini.layers.services import Services
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations import (
    blocks,
    cache,
    data,
    disks,
    images,
    imports,
    info,
    links,
    locations,
    members,
    tasks,
    upload_sessions,
)
from glance_mini.operations.bases import ListDependents, ReplaceData
from glance_mini.operations.jobs import CancelJob, GetJob
from glance_mini.operations.records import BeginImport, LoadImage, MarkDeleted, RecordImport, UndoDeletion
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import COPY, Buffers
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

_STAGED = ("uploading", "importing")
"""Statuses of images that may have staged data."""


class LocationLayer(Layer):
    """Answers uploads and downloads, and applies changes of locations to the stored data."""

    name = "location"
    answers = frozenset(
        {
            "upload_data",
            "download_data",
            "list_blocks",
            "list_stores",
            "check_configuration",
            "stage_data",
            "import_image",
            "add_location",
            "delete_from_store",
            "coalesce_image",
            "flatten_image",
            "rebase_image",
            "convert_image",
            "add_upload_link",
            "complete_upload",
            "extend_upload_session",
            *CACHE_CALLS,
        }
    )

    def __init__(
        self,
        stores: Stores,
        leases: LeaseKeeper,
        metrics: Metrics,
        hashes: ImageHashes | None = None,
        inspection: InspectionRules | None = None,
        changeable: bool = False,
        rules: ImportRules | None = None,
        certificates: Certificates = no_certificates,
        buffers: Buffers | None = None,
        image_cache: ImageCache | None = None,
        stall_time: float = 86_400,
        wake_caches: Callable[[], None] = lambda: None,
        incremental: IncrementalRules | None = None,
        direct_seconds: int | None = None,
        upload_grace: timedelta | None = None,
        sessions: SessionRules | None = None,
        find_warnings: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """Store the arguments; ``changeable``: whether users may change locations themselves.

        ``direct_seconds``: how long addresses of data in a store work; None: none are made. ``upload_grace``: as for
        ``UploadLinks``. ``find_warnings`` returns what operators are warned about in the configuration.
        """
        self._stores = stores
        self._metrics = metrics
        inspection = inspection or InspectionRules()
        self._buffers = buffers or Buffers()
        self._uploads = Uploads(
            self.below, leases, metrics, hashes or ImageHashes(), inspection, certificates, self._incoming_delta
        )
        self._incremental = incremental or IncrementalRules()
        self._changeable = changeable
        self._rules = rules or ImportRules()
        self._removal = Removal(self.below, stores, self._rules.node_url)
        self._upload_links = UploadLinks(self.below, stores, self._rules, upload_grace)
        self._sessions = UploadSessions(self.below, stores, metrics, sessions or SessionRules(), self._rules.node_url)
        self._find_warnings = find_warnings
        self._direct = DirectUrls(stores, direct_seconds)
        self._cache = CacheCalls(self.below, image_cache, stall_time, wake_caches)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        rules = ImportRules(
            check_uri=services.check_uri,
            node_url=None if conf.staging_is_shared else services.node_url,
            keep_jobs=timedelta(hours=conf.task.task_time_to_live),
            reads_locations=conf.do_secure_hash,
            priorities={kind: int(priority) for kind, priority in conf.workers.priorities.items()},
            wake_workers=services.wake_workers,
            methods=services.import_methods,
            has_plugins=bool(conf.image_import_opts.image_import_plugins),
        )
        return cls(
            services.stores,
            services.leases,
            services.metrics,
            ImageHashes.from_config(conf),
            InspectionRules.from_config(conf),
            conf.show_multiple_locations,
            rules,
            services.certificates,
            services.buffers,
            services.cache,
            conf.image_cache_stall_time,
            services.wake_caches,
            IncrementalRules.from_config(conf),
            conf.direct_access.download_seconds if conf.direct_access.downloads else None,
            timedelta(seconds=conf.direct_access.upload_grace) if conf.direct_access.uploads else None,
            SessionRules.from_config(conf),
            services.find_warnings,
        )

    def list_stores(self, context: Context, op: info.ListStores) -> tuple[Store, ...]:
        if not self._stores.multi:
            raise NotFound(kind="list of stores", id="info/stores")
        return tuple(self._stores)

    def check_configuration(self, context: Context, op: info.CheckConfiguration) -> tuple[str, ...]:
        return tuple(self._find_warnings())

    # uploads

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        store = self._store_for(op.store)
        if store.read_only:
            refusal = store_errors.StoreAddDisabled()
            refusal.store = store.id
            raise refusal
        check_transition(op.target, "saving")
        store = store.for_caller(caller_for(context, op.target.owner))
        image = self._uploads.upload(context, op, store, store.id if self._stores.multi else None)
        if op.session is not None:
            self._sessions.clear(context, op.session, op.target.owner)
        self._keep_acls(context, image)
        if image.base is not None:
            self._rules.wake_workers()
        return image

    def _incoming_delta(self, context: Context, op: data.UploadData) -> IncomingDelta:
        # The owner of a base may be another project: the service reads it.
        return IncomingDelta(context, op, Disks(self._stores, self._metrics), self._incremental, self.below)

    def stage_data(self, context: Context, op: imports.StageData) -> Image:
        check_transition(op.target, "uploading")
        return self._uploads.stage(context, op, self._stores.get(STAGING_STORE), self._rules.node_url)

    # uploads that go on

    def add_upload_session(self, context: Context, op: upload_sessions.AddUploadSession) -> UploadSession:
        return self._sessions.add(context, op, self._store_for)

    def extend_upload_session(self, context: Context, op: upload_sessions.ExtendUploadSession) -> UploadSession:
        return self._sessions.extend(context, op)

    def delete_upload_session(self, context: Context, op: upload_sessions.DeleteUploadSession) -> UploadSession:
        return self._sessions.delete(context, op)

    # links for uploads

    def add_upload_link(self, context: Context, op: links.AddUploadLink) -> links.UploadAddress:
        return self._upload_links.add(context, op, self._store_for)

    def complete_upload(self, context: Context, op: links.CompleteUpload) -> Job:
        return self._upload_links.complete(context, op)

    def delete_link(self, context: Context, op: links.DeleteLink) -> None:
        self._upload_links.delete(context, op)

    def _store_for(self, store_id: str | None) -> Store:
        if store_id is None or not self._stores.multi:
            return self._stores.default
        if store_id not in self._stores.ids():
            raise Invalid(reason=f"There is no store {store_id}.")
        return self._stores.get(store_id)

    # imports and tasks

    def import_image(self, context: Context, op: imports.ImportImage) -> Job | None:
        begin = prepare_import(context, op, self._stores, self._rules)
        if begin is None:
            return None
        begun = self.below(context, begin)
        if op.job is None:
            self._rules.wake_workers()
        return begun.job

    def create_task(self, context: Context, op: tasks.CreateTask) -> Job:
        job = self.below(context, prepare_task(context, op, self._stores, self._rules))
        self._rules.wake_workers()
        return job

    # other data with the same disk

    def coalesce_image(self, context: Context, op: disks.CoalesceImage) -> Job:
        chain = op.chain or (op.target,)
        return self._begin(context, begin_coalescing(context, chain, self._stores, self._rules, op.limits, op.depth))

    def flatten_image(self, context: Context, op: disks.FlattenImage) -> Job | None:
        begin = begin_flattening(context, op, partial(self.below, context), self._stores, self._rules)
        return None if begin is None else self._begin(context, begin)

    def rebase_image(self, context: Context, op: disks.RebaseImage) -> Job:
        above = self._dependents(context, op.image_id)
        return self._begin(context, begin_rebasing(context, op, above, self._stores, self._rules))

    def convert_image(self, context: Context, op: disks.ConvertImage) -> Job:
        begin = begin_converting(context, op, partial(self.below, context), self._stores, self._rules)
        try:
            return self._begin(context, begin)
        except GlanceMiniError:
            if op.new_image is not None:
                # The new image is one that nobody knows of yet.
                self._forget_new(context, str(begin.job.image_id))
            raise

    def _forget_new(self, context: Context, image_id: str) -> None:
        try:
            self.below(context, MarkDeleted(image_id, self.below(context, LoadImage(image_id))))
        except GlanceMiniError as error:
            LOG.warning("Image %s, which was to be new, could not be removed: %s", image_id, error)

    def replace_data(self, context: Context, op: ReplaceData) -> Image:
        """Keep the access lists; the reaper removes the old data when no reader can be at its beginning any more."""
        image = self.below(context, op)
        self._keep_acls(context, image)
        return image

    def _dependents(self, context: Context, image_id: str) -> tuple[str, ...]:
        return self.below(context, ListDependents(image_id, MOST_NAMED))

    def _begin(self, context: Context, begin: BeginImport) -> Job:
        job = self.below(context, begin).job
        self._rules.wake_workers()
        return job

    # downloads

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        candidates = self._ordered(op.target, op.prefer)
        if not candidates or op.target.size is None:
            return None
        wanted = choose(op, Disks(self._stores, self._metrics), partial(self.below, context))
        image = wanted.image
        offset, length = resolve_range(op.first, op.last, image.size or 0)
        if op.head:
            url = self._direct.url(image, candidates) if op.direct and wanted.is_stored else None
            return data.ImageData(image, iter(()), offset, length, url)
        source = wanted.source or Source(self._stores, candidates, self._metrics, caller_for(context, image.owner))
        try:
            chunks = self._cache.open(image, source, offset, length, self._buffers, is_cached=wanted.is_cached)
        except store_errors.NotFound:
            LOG.error("The data of image %s is in none of its %d locations.", image.id, len(candidates))
            return None
        self._metrics.transfers.labels("out").inc()
        return data.ImageData(image, CountedStream(chunks, self._note_sent), offset, length)

    def list_blocks(self, context: Context, op: blocks.ListBlocks) -> BlockPage | None:
        files = Disks(self._stores, self._metrics)
        with self._buffers.share(COPY):
            return list_blocks(context, op, files, partial(self.below, context), self._rules.wake_workers)

    def _note_sent(self, sent: int) -> None:
        self._metrics.transfers.labels("out").dec()
        self._metrics.bytes_sent.inc(sent)

    def _ordered(self, image: Image, prefer: tuple[str, ...]) -> list[Location]:
        """Return the locations to try: first those in preferred stores, in that order, then by store weight."""
        if prefer and not self._stores.multi:
            raise Invalid(reason="Stores can be preferred only if there are several.")
        for store_id in prefer:
            if store_id not in self._stores.ids():
                raise Invalid(reason=f"There is no store {store_id}.")
        by_weight = self._stores.order(image.locations)
        return sorted(by_weight, key=lambda each: prefer.index(each.store) if each.store in prefer else len(prefer))

    # deletion

    def delete_image(self, context: Context, op: images.DeleteImage) -> Image:
        """Delete the record, then the bytes; if a store refuses, restore the image and raise Conflict."""
        deleted = self.below(context, op)
        self._cache.drop(deleted.id)
        if (job_id := op.target.properties.get(TASK_PROPERTY)) is not None:
            # The job may be waiting for a slow server and would notice the deletion only with the next bytes.
            self._stop_job(context, job_id)
        if deleted.status == PENDING_DELETE:
            self._rules.wake_workers()
            return deleted
        if op.target.locations or op.target.status in _STAGED:
            try:
                self._removal.delete_pending(context, op.target)
            except store_errors.InUseByStore as error:
                self.below(context, UndoDeletion(op.target))
                raise Conflict(reason=f"Image {op.image_id} could not be deleted: {error}") from error
        return deleted

    def purge_image(self, context: Context, op: images.PurgeImage) -> Image:
        """Delete the record of a deleted image, then its bytes; the reaper retries what cannot be deleted yet."""
        deleted = self.below(context, op)
        self._removal.delete_removed(context, op.target)
        return deleted

    def _stop_job(self, context: Context, job_id: str) -> None:
        """Cancel a running job whose image is gone; a waiting job notices that itself."""
        try:
            if self.below(context, GetJob(job_id)).state == PROCESSING:
                self.below(context, CancelJob(job_id))
        except GlanceMiniError as error:
            LOG.info("Job %s of a deleted image was not cancelled: %s", job_id, error)

    def delete_from_store(self, context: Context, op: locations.DeleteFromStore) -> Image:
        return self._removal.delete_from_store(context, op.target, op.store)

    # the cache of this node

    def list_cache(self, context: Context, op: cache.ListCache) -> CacheListing:
        return self._cache.list()

    def add_to_cache(self, context: Context, op: cache.CacheImage) -> None:
        self._cache.queue(op.target)

    def delete_from_cache(self, context: Context, op: cache.DeleteCachedImage) -> None:
        self._cache.delete(context, op)

    def clear_cache(self, context: Context, op: cache.ClearCache) -> int:
        return self._cache.clear(op.targets)

    def clean_cache(self, context: Context, op: cache.CleanCache) -> int:
        return self._cache.clean()

    def prune_cache(self, context: Context, op: cache.PruneCache) -> Pruned:
        return self._cache.prune()

    def list_cached_nodes(self, context: Context, op: cache.ListCachedNodes) -> tuple[str, ...]:
        return self._cache.nodes(op.target)

    def deactivate_image(self, context: Context, op: images.DeactivateImage) -> Image:
        image = self.below(context, op)
        self._cache.drop(image.id)
        return image

    # locations and access lists

    def add_location(self, context: Context, op: locations.AddLocation) -> Image:
        check_new_location(context, op, self._stores)
        change = location_change(context, op, self._stores, self._rules)
        if self._rules.reads_locations and op.hash_value is not None:
            begun = self.below(context, hash_job(context, op, op.target, self._rules, pinned_metadata(change)))
            self._rules.wake_workers()
            return begun.image
        image = self.below(context, change)
        self._keep_acls(context, image)
        if self._rules.reads_locations:
            self._read_later(context, replace(op, limits=NO_LIMITS), image)
        return image

    def _read_later(self, context: Context, op: locations.AddLocation, image: Image) -> None:
        """Begin a job that computes the hashes of ``image``, which is active and usable without them."""
        try:
            self.below(context, hash_job(context, op, image, self._rules))
        except GlanceMiniError as error:
            LOG.warning("The hashes of image %s will not be known: %s", image.id, error)
        else:
            self._rules.wake_workers()

    def record_import(self, context: Context, op: RecordImport) -> Image:
        image = self.below(context, op)
        self._keep_acls(context, image)
        return image

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        if any(isinstance(change, LocationChange) for change in op.changes):
            if not self._changeable:
                raise Forbidden(reason="Locations cannot be changed: show_multiple_locations is off.")
            changes = resolve_changes(self._stores, op.changes, op.target, trusted=is_trusted(context))
            op = replace(op, changes=changes)
        image = self.below(context, op)
        if any(isinstance(change, LocationChange) and change.action == "remove" for change in op.changes):
            self._removal.delete_removed(context, op.target)
        if image.visibility != op.target.visibility or image.locations != op.target.locations:
            self._keep_acls(context, image)
        return image

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        return self._change_member(context, op)

    def delete_member(self, context: Context, op: members.DeleteMember) -> Member:
        return self._change_member(context, op)

    def _change_member(self, context: Context, op: members.AddMember | members.DeleteMember) -> Member:
        member = self.below(context, op)
        self._keep_acls(context, op.target)
        return member

    def _keep_acls(self, context: Context, image: Image) -> None:
        """Set the readers of ``image`` in stores that have access lists; errors of a store are logged."""
        for location in image.locations:
            if location.version is not None:
                continue  # it is a user's own, and so are its readers
            try:
                store = self._stores.for_location(location.url, location.store)
                if capabilities.ACL in store.driver.capabilities:
                    is_public = image.visibility in ("public", "community")
                    store = store.for_caller(caller_for(context, image.owner))
                    store.set_acl(location.url, is_public, self._readers(context, image))
            except store_errors.StoreError as error:
                LOG.warning("The access list of image %s could not be set: %s", image.id, error)

    def _readers(self, context: Context, image: Image) -> list[str]:
        if image.visibility != "shared":
            return []
        found = self.below(context, members.ListMembers(image.id, image))
        return [member.member_id for member in found]


def resolve_range(first: int | None, last: int | None, size: int) -> tuple[int, int]:
    """Return offset and length in bytes of the range ``first`` to ``last`` in data of ``size`` bytes.

    Both None: everything. ``first`` None: the last ``last`` bytes. ``last`` None or beyond the end: to the end.
    Raises RangeNotSatisfiable if the range is empty.
    """
    if first is None and last is None:
        return 0, size
    if first is None:
        length = min(last or 0, size)
        first, last = size - length, size - 1
    end = size - 1 if last is None else min(last, size - 1)
    if first >= size or end < first:
        raise RangeNotSatisfiable(size=size)
    return first, end - first + 1
