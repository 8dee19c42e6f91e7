"""Keeps the data of images in stores: writes, reads, deletes it, and looks after the list of locations.

A driver publishes whole data or nothing; the records say which image it belongs to. In between, the row of the
transfer tells what must be cleared away should this process die (DESIGN, transfers and leases).
"""

import logging
from dataclasses import replace
from typing import Any, Self
from uuid import uuid4

from oslo_config import cfg

from glance_mini.domain.changes import LocationChange
from glance_mini.domain.clock import utcnow
from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    Conflict,
    Forbidden,
    GlanceMiniError,
    Invalid,
    NotFound,
    Unavailable,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.member import Member
from glance_mini.domain.status import check_transition
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.inspection import Inspection, InspectionRules
from glance_mini.layers.base import Layer, Services
from glance_mini.layers.data_ranges import resolve_range
from glance_mini.layers.failover import FailoverChunks
from glance_mini.layers.location_changes import resolve_changes
from glance_mini.layers.watched import WatchedChunks
from glance_mini.metrics import Metrics
from glance_mini.operations import data, images, info, members
from glance_mini.transfers.deletion import remove_data
from glance_mini.transfers.leases import LeaseKeeper
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.registry import Stores
from glance_mini_store.store import Store, Stored

LOG = logging.getLogger(__name__)


class LocationLayer(Layer):
    """Answers upload and download, and turns changes of locations into changes of what is stored."""

    name = "location"
    answers = frozenset({"upload_data", "download_data", "list_stores"})

    def __init__(
        self,
        stores: Stores,
        leases: LeaseKeeper,
        metrics: Metrics,
        hash_algorithm: str = "sha512",
        inspection: InspectionRules | None = None,
        changeable: bool = False,
    ) -> None:
        """``changeable``: whether users may change locations themselves."""
        self._stores = stores
        self._leases = leases
        self._metrics = metrics
        self._hash_algorithm = hash_algorithm
        self._inspection = inspection or InspectionRules()
        self._changeable = changeable

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        rules = InspectionRules(
            require_match=conf.image_format.require_image_format_match,
            vmdk_types=tuple(name.lower() for name in conf.image_format.vmdk_allowed_types),
            gpt_nonfatal=frozenset(conf.image_format.gpt_safety_checks_nonfatal),
        )
        return cls(
            services.stores,
            services.leases,
            services.metrics,
            conf.hashing_algorithm,
            rules,
            conf.show_multiple_locations,
        )

    def list_stores(self, context: Context, op: info.ListStores) -> tuple[Store, ...]:
        if not self._stores.multi:
            raise NotFound(kind="list of stores", id="info/stores")
        return tuple(self._stores)

    # uploads

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        store = self._writable_store(op.store)
        check_transition(op.target, "saving")
        transfer = self._new_transfer(op, store)
        with self._leases.holding(transfer.id), self._metrics.transfers.labels("in").track_inprogress():
            self.below(context, data.BeginTransfer(transfer, op.limits))
            try:
                stored, virtual_size = self._write(store, op, transfer)
            except BaseException:
                self._abort(context, transfer)
                raise
            image = self._record(context, store, transfer, stored, virtual_size)
        self._keep_acls(context, image)
        return image

    def _writable_store(self, store_id: str | None) -> Store:
        if store_id is None or not self._stores.multi:
            return self._stores.default
        if store_id not in self._stores.ids():
            raise Invalid(reason=f"There is no store {store_id}.")
        return self._stores.get(store_id)

    def _new_transfer(self, op: data.UploadData, store: Store) -> Transfer:
        transfer_id = op.transfer_id or str(uuid4())
        return Transfer(
            id=transfer_id,
            image_id=op.image_id,
            project_id=op.target.owner,
            process=self._leases.process,
            store=store.id,
            # Of this transfer alone: whoever clears it away, however late, cannot meet the data of another one.
            name=f"{op.image_id}-{transfer_id[:8]}",
            reserved=op.size or 0,
            started_at=utcnow(),
            lease_until=self._leases.lease_until(),
        )

    def _write(self, store: Store, op: data.UploadData, transfer: Transfer) -> tuple[Stored, int | None]:
        inspection = Inspection(op.target, self._inspection) if op.target.container_format == "bare" else None
        try:
            stored = store.write(
                transfer.name,
                op.chunks,
                size=op.size,
                algorithms=("md5", self._hash_algorithm),
                observers=(inspection,) if inspection else (),
            )
        except store_errors.StoreError:
            self._metrics.store_failures.labels(store.id).inc()
            raise
        self._metrics.bytes_received.inc(stored.size)
        return stored, inspection.virtual_size if inspection else None

    def _record(
        self, context: Context, store: Store, transfer: Transfer, stored: Stored, virtual_size: int | None
    ) -> Image:
        metadata = {**stored.metadata, "store": store.id} if self._stores.multi else dict(stored.metadata)
        written = StoredData(
            location=Location(url=stored.location, metadata=metadata),
            size=stored.size,
            virtual_size=virtual_size,
            checksum=stored.digests["md5"],
            os_hash_algo=self._hash_algorithm,
            os_hash_value=stored.digests[self._hash_algorithm],
        )
        try:
            image: Image = self.below(context, data.RecordData(transfer, written))
        except Unavailable:
            # Whether it was recorded is not known. The lease is not renewed from here on: what was not recorded is
            # cleared away by the reaper, what was recorded stays.
            raise
        except Exception:
            # The row of the transfer is all that knows of data that could not be removed: the reaper finds it there.
            if _remove(store, stored.location):
                self._abort(context, transfer)
            raise
        return image

    def _abort(self, context: Context, transfer: Transfer) -> None:
        """Give the transfer up; where even that fails the reaper does it when the lease has ended."""
        try:
            self.below(context, data.AbortTransfer(transfer))
        except GlanceMiniError as error:
            LOG.warning("Transfer %s is left to the reaper: %s", transfer.id, error)

    # downloads

    def download_data(self, context: Context, op: data.DownloadData) -> data.ImageData | None:
        image = op.target
        locations = self._ordered(image, op.prefer)
        if not locations or image.size is None:
            return None
        offset, length = resolve_range(op.first, op.last, image.size)
        if op.head:
            return data.ImageData(image, iter(()), offset, length)
        is_part = (offset, length) != (0, image.size)
        chunks = FailoverChunks(self._stores, locations, offset, length, is_part, self._metrics)
        try:
            chunks.open()
        except store_errors.NotFound:
            LOG.error("The data of image %s is in none of its %d locations.", image.id, len(locations))
            return None
        self._metrics.transfers.labels("out").inc()
        return data.ImageData(image, WatchedChunks(chunks, self._note_sent), offset, length)

    def _note_sent(self, sent: int) -> None:
        self._metrics.transfers.labels("out").dec()
        self._metrics.bytes_sent.inc(sent)

    def _ordered(self, image: Image, prefer: tuple[str, ...]) -> list[Location]:
        """Return the locations to try: those in preferred stores first, in that order, then by store weight."""
        if prefer and not self._stores.multi:
            raise Invalid(reason="Stores can be preferred only where there are several.")
        for store_id in prefer:
            if store_id not in self._stores.ids():
                raise Invalid(reason=f"There is no store {store_id}.")
        by_weight = self._stores.order(image.locations)
        return sorted(by_weight, key=lambda each: prefer.index(each.store) if each.store in prefer else len(prefer))

    # deletion

    def delete_image(self, context: Context, op: images.DeleteImage) -> Image:
        """Delete the record, then the bytes; a store that refuses brings the image back (409)."""
        deleted: Image = self.below(context, op)
        if op.target.locations:
            try:
                self._delete_pending(context, op.image_id)
            except store_errors.InUseByStore as error:
                self.below(context, data.RestoreImage(op.target))
                raise Conflict(reason=f"Image {op.image_id} could not be deleted: {error}") from error
        return deleted

    def _delete_pending(self, context: Context, image_id: str) -> None:
        """Delete the data whose deletion is recorded; what fails for another reason is tried again by the reaper."""
        for deletion in self.below(context, data.ListDeletions(image_id)):
            try:
                remove_data(self._stores, deletion)
            except store_errors.InUseByStore:
                raise
            except store_errors.StoreError as error:
                LOG.warning("Data of image %s could not be deleted yet: %s", image_id, error)
                continue
            self.below(context, data.FinishDeletion(deletion.id))

    # locations and access lists

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        if any(isinstance(change, LocationChange) for change in op.changes):
            if not self._changeable:
                raise Forbidden(reason="Locations cannot be changed: show_multiple_locations is off.")
            op = replace(op, changes=resolve_changes(self._stores, op.changes, op.target))
        image: Image = self.below(context, op)
        if any(isinstance(change, LocationChange) and change.action == "remove" for change in op.changes):
            self._delete_removed(context, op.image_id)
        if image.visibility != op.target.visibility or image.locations != op.target.locations:
            self._keep_acls(context, image)
        return image

    def _delete_removed(self, context: Context, image_id: str) -> None:
        """Delete the data of locations that the image has lost; what is in use is tried again by the reaper."""
        try:
            self._delete_pending(context, image_id)
        except store_errors.InUseByStore as error:
            LOG.warning("Data that image %s has lost could not be deleted yet: %s", image_id, error)

    def add_member(self, context: Context, op: members.AddMember) -> Member:
        return self._change_member(context, op)

    def delete_member(self, context: Context, op: members.DeleteMember) -> Member:
        return self._change_member(context, op)

    def _change_member(self, context: Context, op: members.AddMember | members.DeleteMember) -> Member:
        member: Member = self.below(context, op)
        self._keep_acls(context, op.target)
        return member

    def _keep_acls(self, context: Context, image: Image) -> None:
        """Let the stores that have access lists know who may read; a store that fails is logged."""
        for location in image.locations:
            try:
                store = self._stores.for_location(location.url, location.store)
                if capabilities.ACL in store.driver.capabilities:
                    is_public = image.visibility in ("public", "community")
                    store.set_acl(location.url, is_public, self._readers(context, image))
            except store_errors.StoreError as error:
                LOG.warning("The access list of image %s could not be set: %s", image.id, error)

    def _readers(self, context: Context, image: Image) -> list[str]:
        if image.visibility != "shared":
            return []
        found: Any = self.below(context, members.ListMembers(image.id, image))
        return [member.member_id for member in found]


def _remove(store: Store, location: str) -> bool:
    """Delete data that was not recorded; returns whether it is gone."""
    try:
        store.delete(location)
    except store_errors.NotFound:
        return True
    except store_errors.StoreError as error:
        LOG.warning("Data that was not recorded could not be removed: %s", error)
        return False
    return True
