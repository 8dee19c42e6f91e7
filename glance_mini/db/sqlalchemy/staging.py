"""Staged data: its record is made when its transfer ends, and removed or turned into a pending deletion later."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, literal, select, union_all

from glance_mini.db.sqlalchemy import models, staged_rows, transfers, usage
from glance_mini.db.sqlalchemy.images import records, writing
from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.staging import StagedData
from glance_mini.operations.records import DiscardStaged, ForgetStaged, GetStaged, ListDataNames, RecordStaged

_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_TRANSFERS, _STAGED, _DELETIONS = models.transfers.c, models.staged_data.c, models.deletions.c
_LOCATIONS = models.image_locations.c
# One statement sees one snapshot, so a name that moves from one table to another is not missed.
_NAMED = union_all(
    select(models.images.c.id, literal("")).where(models.images.c.id.in_(_IDS)),
    select(models.image_tombstones.c.id, literal("")).where(models.image_tombstones.c.id.in_(_IDS)),
    *(
        select(table.image_id, name).where(table.image_id.in_(_IDS))
        for table, name in (
            (_TRANSFERS, _TRANSFERS.name),
            (_STAGED, _STAGED.value),
            (_LOCATIONS, _LOCATIONS.value),
            (_DELETIONS, _DELETIONS.value),
        )
    ),
)


def record(connection: Connection, call: RecordStaged, now: datetime) -> Image:
    """End the transfer, record its data and set the size of the image, which stays ``uploading``; return the image.

    Raises Gone if the image was deleted, TransferLost if the transfer has ended or belongs to another process.
    """
    transfer, data = call.transfer, replace(call.staged, created_at=now)
    before = records.find_locked(connection, transfer.image_id)
    if before is None:
        raise errors.Gone(kind="image", id=transfer.image_id)
    reserved = transfers.end(connection, transfer)
    kept = staged_rows.add(connection, data, transfer.project_id)
    after = replace(before, size=data.size, updated_at=now)
    writing.update_image(connection, before, after, now)
    usage.change(connection, reserved, kept)
    return after


def get(connection: Connection, call: GetStaged) -> StagedData | None:
    """Return the staged data of an image, None if it has none."""
    return staged_rows.get(connection, call.image_id)


def forget(connection: Connection, call: ForgetStaged, now: datetime) -> None:
    """Remove the record of staged data whose bytes are gone; do nothing if there is no record."""
    _, used = staged_rows.remove(connection, call.image_id)
    usage.change(connection, used, usage.Usage())


def discard(connection: Connection, call: DiscardStaged, now: datetime) -> None:
    """Turn staged data into a pending deletion for the node that has it; do nothing if the image has none."""
    usage.change(connection, staged_rows.discard(connection, call.image_id, now), usage.Usage())


def list_names(connection: Connection, call: ListDataNames) -> dict[str, frozenset[str]]:
    """Return, by image, the names of transfers, staged data, stored data and pending deletions in their stores.

    An id that no image ever had is not a key of the result.
    """
    names: dict[str, set[str]] = {}
    for image_id, value in connection.execute(_NAMED, {"ids": list(call.image_ids)}):
        names.setdefault(image_id, set()).add(value.rpartition("/")[2])
    return {image_id: frozenset(found - {""}) for image_id, found in names.items()}


QUERIES = {GetStaged: get, ListDataNames: list_names}
WRITES = {RecordStaged: record, ForgetStaged: forget, DiscardStaged: discard}
