"""Writes the data of a request to a store: the data of an image, or data that is staged for its import.

A driver publishes complete data or nothing; then a record assigns the data to its image. Until then the row of the
transfer names the data to remove if this process dies.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

from glance_mini.content.hashes import ImageHashes
from glance_mini.content.inspection import Inspection, InspectionRules
from glance_mini.content.signatures import Certificates, signature_check
from glance_mini.domain.context import Context
from glance_mini.domain.errors import GlanceMiniError, Unavailable
from glance_mini.domain.image import Image, Location
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.layers.base import Handler
from glance_mini.layers.location.deltas import IncomingDelta, may_be_delta
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations.base import Operation
from glance_mini.operations.data import UploadData
from glance_mini.operations.imports import StageData
from glance_mini.operations.records import AbortTransfer, BeginTransfer, RecordData, RecordStaged
from glance_mini_store import errors as store_errors
from glance_mini_store.checked_stream import Observer
from glance_mini_store.store import Store, Stored

LOG = logging.getLogger(__name__)

Record = Callable[[Stored], Operation[Image]]


class Uploads:
    """Uploads data for the layer that passes its ``below``."""

    def __init__(
        self,
        below: Handler,
        leases: LeaseKeeper,
        metrics: Metrics,
        hashes: ImageHashes,
        rules: InspectionRules,
        certificates: Certificates,
        deltas: Callable[[Context, UploadData], IncomingDelta],
    ) -> None:
        """``deltas`` begins the upload of what may be a delta."""
        self._below = below
        self._leases = leases
        self._metrics = metrics
        self._hashes = hashes
        self._rules = rules
        self._certificates = certificates
        self._deltas = deltas

    def upload(self, context: Context, op: UploadData, store: Store, store_id: str | None) -> Image:
        """Hash, inspect, verify and write the data of an image, and return the active image.

        ``store_id`` is the store in the metadata of the location, None for no entry.
        """
        fetch_certificate = self._certificates(context.auth_token, context.project_id)
        signature = signature_check(op.target.properties, fetch_certificate)
        transfer = self._new_transfer(op, store)
        delta = self._deltas(context, op) if may_be_delta(op.target) else None
        if delta is not None:
            op = replace(op, chunks=delta.checked(op.chunks))
        inspection = Inspection(op.target, self._rules) if op.target.container_format == "bare" else None

        def record(stored: Stored) -> Operation[Image]:
            metadata = {**stored.metadata, "store": store_id} if store_id else dict(stored.metadata)
            written = StoredData(
                location=Location(url=stored.location, metadata=metadata),
                size=stored.size,
                virtual_size=inspection.virtual_size if inspection else None,
                **self._hashes.values(stored.digests),
            )
            if delta is None or not delta.is_delta:
                return RecordData(transfer, written, session=op.session)
            return RecordData(transfer, delta.linked(written), delta.jobs(), op.session)

        begin = BeginTransfer(transfer, self._leases.lease, op.limits, session=op.session)
        observers = [observer for observer in (inspection, signature) if observer is not None]
        return self._carry(context, op, store, begin, record, self._hashes.algorithms, observers)

    def stage(self, context: Context, op: StageData, store: Store, node_url: str | None) -> Image:
        """Write data unchecked to the staging area of ``node_url`` and return the ``uploading`` image."""
        transfer = self._new_transfer(op, store, node_url)

        def record(stored: Stored) -> Operation[Image]:
            staged = StagedData(op.image_id, store.id, stored.location, stored.size, node_url)
            return RecordStaged(transfer, staged)

        begin = BeginTransfer(transfer, self._leases.lease, op.limits, to_staging=True)
        return self._carry(context, op, store, begin, record)

    def _new_transfer(self, op: UploadData | StageData, store: Store, node_url: str | None = None) -> Transfer:
        transfer_id = op.transfer_id or str(uuid4())
        return Transfer(
            id=transfer_id,
            image_id=op.image_id,
            project_id=op.target.owner,
            process=self._leases.process,
            store=store.id,
            # The name is unique to this transfer, so that a late clean-up cannot remove the data of another one.
            name=f"{op.image_id}-{transfer_id[:8]}",
            reserved=op.size or 0,
            node_url=node_url,
        )

    def _carry(
        self,
        context: Context,
        op: UploadData | StageData,
        store: Store,
        begin: BeginTransfer,
        record: Record,
        algorithms: Sequence[str] = (),
        observers: Sequence[Observer] = (),
    ) -> Image:
        transfer = begin.transfer
        with self._leases.holding(transfer.id), self._metrics.transfers.labels("in").track_inprogress():
            self._below(context, begin)
            try:
                stored = self._write(store, op, transfer.name, algorithms, observers)
            except BaseException as error:
                self._abort(context, transfer, has_remains=store_errors.has_leftovers(error))
                raise
            return self._record(context, store, transfer, stored, record)

    def _write(
        self,
        store: Store,
        op: UploadData | StageData,
        name: str,
        algorithms: Sequence[str],
        observers: Sequence[Observer],
    ) -> Stored:
        try:
            stored = store.write(
                name, op.chunks, size=op.size, blocks=op.blocks, algorithms=algorithms, observers=observers
            )
        except store_errors.StoreError:
            self._metrics.store_failures.labels(store.id).inc()
            raise
        if not isinstance(op, UploadData) or op.session is None:
            # The bytes of a session were counted when they arrived.
            self._metrics.bytes_received.inc(stored.size)
        return stored

    def _record(self, context: Context, store: Store, transfer: Transfer, stored: Stored, record: Record) -> Image:
        try:
            image = self._below(context, record(stored))
        except Unavailable:
            # It is unknown whether the data was recorded. The lease is no longer renewed: the reaper removes data that
            # was not recorded, and recorded data stays.
            raise
        except Exception:
            # Only the row of the transfer names data that could not be removed, so the row stays for the reaper.
            if _remove(store, stored.location):
                self._abort(context, transfer)
            raise
        return image

    def _abort(self, context: Context, transfer: Transfer, *, has_remains: bool = False) -> None:
        """Abort the transfer; if that fails, the reaper does it after the lease has expired."""
        try:
            self._below(context, AbortTransfer(transfer, has_remains))
        except GlanceMiniError as error:
            LOG.warning("Transfer %s is left to the reaper: %s", transfer.id, error)


def _remove(store: Store, location: str) -> bool:
    """Delete data that was not recorded; return whether it is gone."""
    try:
        store.delete(location)
    except store_errors.NotFound:
        return True
    except store_errors.StoreError as error:
        LOG.warning("Data that was not recorded could not be removed: %s", error)
        return False
    return True
