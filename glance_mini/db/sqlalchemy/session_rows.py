"""Rows of upload sessions, and of the transfers of their bytes, for all that ends them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

import orjson
from sqlalchemy import Connection, bindparam, delete, select, update

from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.models import transfers, upload_sessions
from glance_mini.domain import errors
from glance_mini.domain.transfer import Transfer
from glance_mini.domain.upload_session import UploadSession, process_of

FIELDS = tuple(field.name for field in fields(UploadSession))
COLUMNS = tuple(upload_sessions.c[name] for name in FIELDS)
TRANSFER = tuple(field.name for field in fields(Transfer))
"""The columns of a transfer."""

_JSON = ("parts", "roles", "service_roles")
_HELD = (transfers.c.id == bindparam("session"), transfers.c.process == bindparam("holder"))
_TRANSFER = select(*(transfers.c[name] for name in TRANSFER)).where(*_HELD).with_for_update()
_CHANGE_TRANSFER = update(transfers).where(*_HELD)
_SESSION = (
    select(*COLUMNS)
    .where(upload_sessions.c.id == bindparam("session"), upload_sessions.c.image_id == bindparam("image"))
    .with_for_update()
)
_CHANGE = update(upload_sessions).where(upload_sessions.c.id == bindparam("session"))
_DELETE = delete(upload_sessions).where(upload_sessions.c.id == bindparam("session"))
_OF_IMAGE = upload_sessions.c.image_id == bindparam("image")
_IDS_OF_IMAGE = select(upload_sessions.c.id).where(_OF_IMAGE)
_DELETE_OF_IMAGE = delete(upload_sessions).where(_OF_IMAGE)


def row_of(session: UploadSession) -> dict[str, object]:
    """Return the row of ``session``."""
    values = {name: getattr(session, name) for name in FIELDS}
    return values | {name: orjson.dumps(values[name]).decode() for name in _JSON}


def session_of(row: RowValues) -> UploadSession:
    """Return the session of a row of ``COLUMNS``."""
    values = dict(zip(FIELDS, row, strict=True))
    return UploadSession(**{**values, **{name: tuple(orjson.loads(values[name])) for name in _JSON}})


def lock_bytes(connection: Connection, session: UploadSession) -> list[Transfer]:
    """Lock and return the transfers of the bytes of ``session``; raises UploadSessionNotFound if one has ended."""
    return [_lock(connection, piece) for piece in session.pieces]


def _lock(connection: Connection, session_id: str) -> Transfer:
    row = connection.execute(_TRANSFER, {"session": session_id, "holder": process_of(session_id)}).first()
    if row is None:
        raise errors.UploadSessionNotFound()
    return Transfer(*row)


def end_transfers(
    connection: Connection, session_ids: Sequence[str], now: datetime
) -> tuple[list[Transfer], list[Transfer]]:
    """Let the leases of bytes end, so that they are removed, and free what they reserve; return them before and after.

    Transfers that have ended are left out.
    """
    before, after = [], []
    for session_id in session_ids:
        try:
            held = _lock(connection, session_id)
        except errors.UploadSessionNotFound:
            continue
        values = {"session": session_id, "holder": held.process, "reserved": 0, "lease_until": now}
        connection.execute(_CHANGE_TRANSFER, values)
        before.append(held)
        after.append(replace(held, reserved=0, lease_until=now))
    return before, after


def finish(connection: Connection, session: UploadSession) -> None:
    """Record that the bytes of ``session`` are those of its image, and forget its parts.

    Raises UploadSessionNotFound if it has ended.
    """
    row = connection.execute(_SESSION, {"session": session.id, "image": session.image_id}).first()
    if row is None:
        raise errors.UploadSessionNotFound()
    connection.execute(_CHANGE, {"session": session.id, "is_finished": True, "finish_at": None})
    for part in session.parts:
        connection.execute(_DELETE, {"session": part})


def end_of_image(connection: Connection, image_id: str, now: datetime) -> None:
    """Delete all sessions of an image, and let the leases of their bytes end."""
    session_ids = connection.execute(_IDS_OF_IMAGE, {"image": image_id}).scalars().all()
    for session_id in session_ids:
        holder = process_of(session_id)
        connection.execute(_CHANGE_TRANSFER, {"session": session_id, "holder": holder, "lease_until": now})
    if session_ids:
        connection.execute(_DELETE_OF_IMAGE, {"image": image_id})
