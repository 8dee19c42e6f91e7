"""Uploads into the staging area: transfers that leave an image ``uploading`` (reference 5.3)."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy import images, staged, transfers, usage
from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.quota import Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import Transfer


def begin(connection: Connection, transfer: Transfer, now: datetime, limits: Limits) -> Image:
    """Move the image to ``uploading`` and begin ``transfer``, whose bytes count as staged; return the image.

    StatusConflict, NotFound, LimitExceeded.
    """
    return transfers.begin(connection, transfer, now, limits, status="uploading")


def record(connection: Connection, transfer: Transfer, data: StagedData, now: datetime) -> Image:
    """End the transfer, keep ``data`` and set the image's size, which stays ``uploading``; return the image.

    Gone where the image was deleted, TransferLost where the transfer has ended or is another process's now.
    """
    before = images.find_locked(connection, transfer.image_id)
    if before is None:
        raise errors.Gone(kind="image", id=transfer.image_id)
    reserved = transfers.end(connection, transfer)
    kept = staged.add(connection, data, transfer.project_id)
    after = replace(before, size=data.size, updated_at=now)
    images.update_row(connection, before, after)
    usage.change(connection, reserved, kept)
    return after


def forget(connection: Connection, image_id: str) -> None:
    """Remove the record of staged data, whose bytes are gone; nothing where there is none."""
    _, used = staged.remove(connection, image_id)
    usage.change(connection, used, usage.Usage())
