"""Uploads in progress, their leases and their reservations.

A transfer belongs to the process that its row names. The end of a transfer locks the image before the transfer, so
that an end, a deletion and a takeover of the same image exclude each other.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, insert, not_, or_, select, tuple_, update

from glance_mini.db.sqlalchemy import base_rows, session_rows, staged_rows, usage
from glance_mini.db.sqlalchemy.images import records, writing
from glance_mini.db.sqlalchemy.jobs import rows as job_rows
from glance_mini.db.sqlalchemy.models import transfers
from glance_mini.domain import errors
from glance_mini.domain.bases import BASE_PROPERTY
from glance_mini.domain.image import Image
from glance_mini.domain.quota import IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL
from glance_mini.domain.status import IN_TRANSFER, check_required, check_transition
from glance_mini.domain.transfer import Transfer
from glance_mini.operations.jobs import AddJob
from glance_mini.operations.records import (
    AbortTransfer,
    BeginTransfer,
    IsYoungestTransfer,
    LeaveRemains,
    RecordData,
    RenewLeases,
    ReserveSpace,
    TakeExpiredTransfers,
)

BATCH = 100

ABANDONED = timedelta(minutes=15)
"""How long after the end of its lease a transfer is left to the node on whose own disk it writes.

A node that restarts in this time removes its own data. After it, any node releases the image.
"""

_FIELDS = (
    *("id", "image_id", "project_id", "process", "store", "name", "reserved"),
    *("started_at", "lease_until", "node_url"),
)
_COLUMNS = tuple(transfers.c[name] for name in _FIELDS)
_ID = transfers.c.id == bindparam("transfer")
_ONE = select(*_COLUMNS).where(_ID)
_LOCK = _ONE.with_for_update()
_INSERT = insert(transfers)
_UPDATE = update(transfers).where(_ID)
_DELETE = delete(transfers).where(_ID)
_CHOSEN = transfers.c.id.in_(bindparam("ids", expanding=True))
_RENEW = update(transfers).where(_CHOSEN, transfers.c.process == bindparam("holder"))
_EXPIRED = (
    select(*_COLUMNS)
    .where(
        transfers.c.lease_until < bindparam("now", type_=transfers.c.lease_until.type),
        transfers.c.id.not_in(bindparam("held", expanding=True)),
        or_(
            transfers.c.node_url.is_(None),
            transfers.c.node_url == bindparam("node"),
            transfers.c.lease_until < bindparam("abandoned", type_=transfers.c.lease_until.type),
        ),
    )
    .order_by(transfers.c.lease_until, transfers.c.id)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_TAKE = update(transfers).where(_CHOSEN)
_IS_LATER = tuple_(transfers.c.started_at, transfers.c.id) > tuple_(
    bindparam("started_at", type_=transfers.c.started_at.type), bindparam("transfer")
)
_LATER_OF_IMAGE = select(exists().where(transfers.c.image_id == bindparam("image"), _IS_LATER))
_LATER = {
    resource: select(
        exists().where(
            transfers.c.project_id == bindparam("project"),
            transfers.c.reserved > 0,
            _IS_LATER,
            is_same,
        )
    )
    for resource, is_same in ((IMAGE_STAGE_TOTAL, usage.IS_STAGING), (IMAGE_SIZE_TOTAL, not_(usage.IS_STAGING)))
}


def begin(connection: Connection, call: BeginTransfer, now: datetime) -> Image:
    """Move the image to ``saving`` or ``uploading``, insert the transfer and reserve its bytes; return the image.

    Raises StatusConflict, Invalid (a format is missing), NotFound, LimitExceeded.
    """
    transfer = replace(call.transfer, started_at=now, lease_until=now + call.lease)
    status = "uploading" if call.to_staging else "saving"
    before = records.lock(connection, transfer.image_id)
    check_transition(before, status)
    if not call.to_staging:
        check_required(before, call.limits.required)
    after = replace(before, status=status, updated_at=now)
    writing.update_image(connection, before, after, now)
    connection.execute(_INSERT, {name: getattr(transfer, name) for name in _FIELDS})
    staged = session_rows.lock_bytes(connection, call.session) if call.session is not None else ()
    if staged:
        # The limits see what is staged and what will be stored as one; both count until the end of the upload.
        usage.change(connection, usage.of_transfers(staged), usage.of_transfer(transfer), call.limits)
        usage.change(connection, usage.Usage(), usage.of_transfers(staged))
    else:
        usage.change(connection, usage.Usage(), usage.of_transfer(transfer), call.limits)
    return after


def reserve(connection: Connection, call: ReserveSpace, now: datetime) -> None:
    """Add bytes to the reservation of the transfer; raises LimitExceeded, Gone."""
    transfer = _lock(connection, call.transfer_id)
    connection.execute(_UPDATE, {"transfer": transfer.id, "reserved": transfer.reserved + call.amount})
    more = usage.Usage({(transfer.project_id, usage.resource_of(transfer)): call.amount})
    usage.change(connection, usage.Usage(), more, call.limits)


def is_youngest(connection: Connection, call: IsYoungestTransfer) -> bool:
    """Return whether no later transfer of the same project holds a reservation of the same resource; raises Gone."""
    row = connection.execute(_ONE, {"transfer": call.transfer_id}).first()
    if row is None:
        raise errors.TransferLost(id=call.transfer_id)
    transfer = Transfer(*row)
    values = {"project": transfer.project_id, "started_at": transfer.started_at, "transfer": transfer.id}
    return not connection.execute(_LATER[usage.resource_of(transfer)], values).scalar()


def record_data(connection: Connection, call: RecordData, now: datetime) -> Image:
    """Make the image active with its data and end the transfer; return the image. The reservation becomes usage.

    Raises Gone if the image was deleted, TransferLost if the transfer has ended or belongs to another process.
    """
    transfer, data = call.transfer, call.data
    try:
        before = records.lock(connection, transfer.image_id)
    except errors.NotFound as error:
        raise errors.Gone(kind="image", id=transfer.image_id) from error
    held = _lock(connection, transfer.id)
    if held.process != transfer.process:
        raise errors.TransferLost(id=transfer.id)
    if before.status not in IN_TRANSFER:
        raise errors.Gone(kind="transfer", id=transfer.id)
    connection.execute(_DELETE, {"transfer": transfer.id})
    freed, kept = usage.of_transfer(held), usage.Usage()
    if call.session is not None:
        ended, remains = session_rows.end_transfers(connection, call.session.pieces, now)
        session_rows.finish(connection, call.session)
        freed, kept = freed + usage.of_transfers(ended), usage.of_transfers(remains)
    usage.change(connection, freed, kept)
    after = replace(
        before,
        status="active",
        size=data.size,
        virtual_size=data.virtual_size,
        checksum=data.checksum,
        os_hash_algo=data.os_hash_algo,
        os_hash_value=data.os_hash_value,
        locations=(*before.locations, data.location),
        updated_at=now,
    )
    delta = data.location.delta
    if delta is not None and data.link is not None:
        base_rows.add(connection, after, delta, data.link)
        after = replace(after, properties={**after.properties, BASE_PROPERTY: delta.base})
    for job in call.jobs:
        job_rows.add(connection, AddJob(job), now)
    return records.store(connection, before, after, now)


def abort(connection: Connection, call: AbortTransfer, now: datetime) -> None:
    """End the transfer, free its reservation and move its image from ``saving`` to ``queued``.

    An ``uploading`` image without staged data also becomes ``queued``; a deleted image, or one with a later transfer,
    does not change. With remains the row stays, for a reaper. Does nothing if the transfer has ended or belongs to
    another process.
    """
    transfer = call.transfer
    image = records.find_locked(connection, transfer.image_id)
    try:
        held = _lock(connection, transfer.id)
    except errors.Gone:
        return
    if held.process != transfer.process:
        return
    is_last = not connection.execute(_LATER_OF_IMAGE, _place(held)).scalar()
    if is_last and image is not None and _has_nothing(connection, image):
        queued = replace(image, status="queued", size=None, virtual_size=None, updated_at=now)
        records.store(connection, image, queued, now)
    after = usage.Usage()
    if call.has_remains:
        kept = replace(held, reserved=0, lease_until=now)
        if call.keeps_lease:
            kept = replace(kept, project_id=None, lease_until=held.lease_until)
        changed = {"reserved": 0, "project_id": kept.project_id, "lease_until": kept.lease_until}
        connection.execute(_UPDATE, {"transfer": transfer.id, **changed})
        after = usage.of_transfer(kept)
    else:
        connection.execute(_DELETE, {"transfer": transfer.id})
    usage.change(connection, usage.of_transfer(held), after)


def _place(transfer: Transfer) -> dict[str, object]:
    return {"image": transfer.image_id, "started_at": transfer.started_at, "transfer": transfer.id}


def _has_nothing(connection: Connection, image: Image) -> bool:
    """Return whether ``image`` waits for data and has none."""
    return image.status == "saving" or (image.status == "uploading" and staged_rows.get(connection, image.id) is None)


def leave(connection: Connection, call: LeaveRemains, now: datetime) -> None:
    """Insert a transfer whose lease has expired, unless there is a row for this place."""
    records.find_locked(connection, call.remains.image_id)
    if connection.execute(_LOCK, {"transfer": call.remains.id}).first() is None:
        remains = replace(call.remains, lease_until=now)
        connection.execute(_INSERT, {name: getattr(remains, name) for name in _FIELDS})


def renew(connection: Connection, call: RenewLeases, now: datetime) -> None:
    """Renew the leases of the transfers that the process still holds."""
    values = {"ids": list(call.transfer_ids), "holder": call.process, "lease_until": now + call.lease}
    connection.execute(_RENEW, values)


def take_expired(connection: Connection, call: TakeExpiredTransfers, now: datetime) -> tuple[Transfer, ...]:
    """Return transfers whose lease ended before ``now``; the caller now holds them.

    Transfers to the own disk of another node than ``node_url`` are included only after ``ABANDONED``.
    """
    values = {"now": now, "held": list(call.held), "node": call.node_url, "abandoned": now - ABANDONED}
    until = now + call.lease
    rows = connection.execute(_EXPIRED, values)
    found = tuple(replace(Transfer(*row), process=call.process, lease_until=until) for row in rows)
    if found:
        ids = [one.id for one in found]
        connection.execute(_TAKE, {"ids": ids, "process": call.process, "lease_until": until})
    return found


def end(connection: Connection, transfer: Transfer) -> usage.Usage:
    """Remove the row and return the usage of the transfer, which the caller subtracts from the counts.

    Raises TransferLost if it has ended or belongs to another process. The caller has locked its image.
    """
    held = _lock(connection, transfer.id)
    if held.process != transfer.process:
        raise errors.TransferLost(id=transfer.id)
    connection.execute(_DELETE, {"transfer": transfer.id})
    return usage.of_transfer(held)


def _lock(connection: Connection, transfer_id: str) -> Transfer:
    row = connection.execute(_LOCK, {"transfer": transfer_id}).first()
    if row is None:
        raise errors.TransferLost(id=transfer_id)
    return Transfer(*row)


QUERIES = {IsYoungestTransfer: is_youngest}
WRITES = {
    BeginTransfer: begin,
    ReserveSpace: reserve,
    RecordData: record_data,
    AbortTransfer: abort,
    LeaveRemains: leave,
    RenewLeases: renew,
    TakeExpiredTransfers: take_expired,
}
