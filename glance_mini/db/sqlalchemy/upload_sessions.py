"""Upload sessions (api-uploads). A session is valid until its time by the clock of the database.

The image is locked before the transfers, and these before the sessions.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, false, func, insert, select, update

from glance_mini.db.sqlalchemy import locks, session_rows, usage
from glance_mini.db.sqlalchemy.expired_rows import removal_from
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.models import images, transfers, upload_sessions
from glance_mini.domain import errors
from glance_mini.domain.status import check_transition
from glance_mini.domain.upload_session import JOINED, PART, UploadSession, process_of, transfer_of
from glance_mini.operations.upload_sessions import (
    MAX_LISTED,
    AddUploadSession,
    DeleteUploadSession,
    GetUploadSession,
    ListUploadSessions,
    PurgeUploadSessions,
    SaveUpload,
    TakeUnfinishedUploads,
)

BATCH = 100

_ROW = upload_sessions.c
_OF_IMAGE = _ROW.image_id == bindparam("image")
_VALID = _ROW.expires_at > bindparam("now", type_=_ROW.expires_at.type)
_OPEN = (_VALID, _ROW.is_finished == false())
_LIST = select(*session_rows.COLUMNS).where(_OF_IMAGE, _VALID).order_by(_ROW.created_at, _ROW.id).limit(MAX_LISTED)
_GET = select(*session_rows.COLUMNS).where(_ROW.id == bindparam("session"), _OF_IMAGE, _VALID)
_COUNT = select(func.count()).where(*_OPEN)
_LEFT = select(func.coalesce(func.sum(_ROW.size - _ROW.received), 0)).where(*_OPEN, _ROW.kind != JOINED)
_INSERT = insert(upload_sessions)
_DELETE = delete(upload_sessions).where(_ROW.id == bindparam("session"))
_CHANGE = update(upload_sessions).where(_ROW.id == bindparam("session"))
_KEEP = update(transfers).where(transfers.c.id == bindparam("session"), transfers.c.process == bindparam("holder"))
_INSERT_TRANSFER = insert(transfers)
_UNFINISHED = (
    select(*session_rows.COLUMNS)
    .join(images, images.c.id == _ROW.image_id)
    .where(
        _ROW.finish_at < bindparam("now", type_=_ROW.finish_at.type),
        _VALID,
        _ROW.is_finished == false(),
        images.c.status != "saving",
    )
    .order_by(_ROW.finish_at, _ROW.id)
    .limit(BATCH)
    .with_for_update(skip_locked=True, of=upload_sessions)
)
_RETRY = update(upload_sessions).where(_ROW.id.in_(bindparam("ids", expanding=True)))
_remove_expired = removal_from(upload_sessions)


def add(connection: Connection, call: AddUploadSession, now: datetime) -> UploadSession:
    """Insert a session, and the transfer of its bytes; see ``AddUploadSession``."""
    assert call.session is not None, "no layer said who makes the session"
    session = replace(call.session, created_at=now, expires_at=now + call.lifetime)
    locks.wait(connection, locks.ADD_UPLOAD_SESSION)
    _check_counts(connection, session, call, now)
    image = records.lock(connection, session.image_id)
    check_transition(image, "saving")
    if session.kind == JOINED:
        size = sum(part.size for part in _keep_parts(connection, session, call, now))
        session = replace(session, size=size, received=size)
    if session.is_complete and session.kind != PART:
        session = replace(session, finish_at=now + call.grace)
    connection.execute(_INSERT, session_rows.row_of(session))
    if session.kind != JOINED:
        transfer = replace(
            transfer_of(session.image_id, session.id, image.owner),
            reserved=session.size,
            started_at=now,
            lease_until=session.expires_at,
            node_url=session.node_url,
        )
        connection.execute(_INSERT_TRANSFER, {name: getattr(transfer, name) for name in session_rows.TRANSFER})
        usage.change(connection, usage.Usage(), usage.of_transfer(transfer), call.limits)
    return session


def _check_counts(connection: Connection, session: UploadSession, call: AddUploadSession, now: datetime) -> None:
    limits = call.session_limits
    for resource, limit, condition in (
        ("upload_sessions_per_image", limits.per_image, _ROW.image_id == session.image_id),
        ("upload_sessions_per_project", limits.per_project, _ROW.project_id == session.project_id),
    ):
        if limit is not None:
            wanted = connection.execute(_COUNT.where(condition), {"now": now}).scalar_one() + 1
            if wanted > limit:
                raise errors.LimitExceeded(resource=resource, limit=limit, wanted=wanted)
    if limits.room is not None:
        on_disk = _ROW.node_url.is_(None) if session.node_url is None else _ROW.node_url == session.node_url
        wanted = int(connection.execute(_LEFT.where(on_disk), {"now": now}).scalar_one()) + session.size
        if wanted > limits.room:
            raise errors.LimitExceeded(resource="the room for staged data", limit=limits.room, wanted=wanted)


def _keep_parts(
    connection: Connection, session: UploadSession, call: AddUploadSession, now: datetime
) -> list[UploadSession]:
    """Return the parts that ``session`` joins, which now live as long as it does; raises Invalid, Conflict."""
    parts = []
    for part_id in session.parts:
        try:
            part = _get(connection, session.image_id, part_id, now)
        except errors.UploadSessionNotFound:
            raise errors.Invalid(reason=f"There is no part {part_id[:40]} of this image.") from None
        if part.kind != PART:
            raise errors.Invalid(reason=f"The upload {part_id} is no part.")
        if not part.is_complete:
            raise errors.Conflict(reason=f"The part {part_id} has {part.received} of {part.size} bytes.")
        if part.node_url != session.node_url:
            raise errors.Conflict(reason=f"The part {part_id} is on another node than others. Send it again.")
        _keep(connection, part.id, now, call)
        connection.execute(_CHANGE, {"session": part.id, "expires_at": now + call.lifetime})
        parts.append(part)
    return parts


def _keep(connection: Connection, session_id: str, now: datetime, call: AddUploadSession | SaveUpload) -> None:
    """Renew the lease of the bytes of a session; raises UploadSessionNotFound if a reaper has taken them."""
    values = {"session": session_id, "holder": process_of(session_id), "lease_until": now + call.lifetime}
    if not connection.execute(_KEEP, values).rowcount:
        raise errors.UploadSessionNotFound()


def list_sessions(connection: Connection, call: ListUploadSessions, now: datetime) -> tuple[UploadSession, ...]:
    """Return the valid sessions of an image."""
    rows = connection.execute(_LIST, {"image": call.image_id, "now": now})
    return tuple(session_rows.session_of(row) for row in rows)


def get(connection: Connection, call: GetUploadSession, now: datetime) -> UploadSession:
    """Return a valid session of an image; raises UploadSessionNotFound."""
    return _get(connection, call.image_id, call.session_id, now)


def _get(connection: Connection, image_id: str, session_id: str, now: datetime, lock: bool = False) -> UploadSession:
    statement = _GET.with_for_update() if lock else _GET
    row = connection.execute(statement, {"session": session_id, "image": image_id, "now": now}).first()
    if row is None:
        raise errors.UploadSessionNotFound()
    return session_rows.session_of(row)


def save(connection: Connection, call: SaveUpload, now: datetime) -> UploadSession:
    """Compare and set the number of received bytes; see ``SaveUpload``."""
    _keep(connection, call.session_id, now, call)
    session = _get(connection, call.image_id, call.session_id, now, lock=True)
    if session.is_finished:
        raise errors.UploadSessionNotFound()
    if session.received != call.before:
        raise errors.OffsetConflict(offset=call.before, expected=session.received)
    changed = replace(session, received=call.received, expires_at=now + call.lifetime)
    if changed.is_complete and changed.kind != PART:
        changed = replace(changed, finish_at=now + call.grace)
    connection.execute(
        _CHANGE,
        {
            "session": session.id,
            "received": changed.received,
            "expires_at": changed.expires_at,
            "finish_at": changed.finish_at,
        },
    )
    return changed


def remove(connection: Connection, call: DeleteUploadSession, now: datetime) -> UploadSession:
    """Delete a session, and let the lease of its bytes end; raises UploadSessionNotFound."""
    records.find_locked(connection, call.image_id)
    session = _get(connection, call.image_id, call.session_id, now)
    before, after = session_rows.end_transfers(connection, () if session.kind == JOINED else (session.id,), now)
    connection.execute(_DELETE, {"session": session.id})
    usage.change(connection, usage.of_transfers(before), usage.of_transfers(after))
    return session


def take_unfinished(connection: Connection, call: TakeUnfinishedUploads, now: datetime) -> tuple[UploadSession, ...]:
    """Return complete uploads whose time to be finished has passed, and set the next time."""
    found = tuple(session_rows.session_of(row) for row in connection.execute(_UNFINISHED, {"now": now}))
    if found:
        connection.execute(_RETRY, {"ids": [each.id for each in found], "finish_at": now + call.retry})
    return found


def _is_any_unfinished(connection: Connection, call: TakeUnfinishedUploads, now: datetime) -> bool:
    return connection.execute(_LOOK, {"now": now}).first() is not None


_LOOK = select(_ROW.id).where(_ROW.finish_at < bindparam("now", type_=_ROW.finish_at.type)).limit(1)


def purge(connection: Connection, call: PurgeUploadSessions, now: datetime) -> int:
    """Delete sessions that have expired; return their number."""
    return _remove_expired(connection, now, call.max_rows)


TIMED_QUERIES = {ListUploadSessions: list_sessions, GetUploadSession: get}
WRITES = {
    AddUploadSession: add,
    DeleteUploadSession: remove,
    SaveUpload: save,
    TakeUnfinishedUploads: take_unfinished,
    PurgeUploadSessions: purge,
}
LOOKS = {TakeUnfinishedUploads: (_is_any_unfinished, ())}
