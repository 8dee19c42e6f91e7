"""Operations on the upload sessions of an image, and the data calls on them (api-uploads)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.upload_session import NO_SESSION_LIMITS, SessionLimits, UploadSession
from glance_mini.operations.base import WORKER, DataCall, DataQuery, ImageOperation, Operation, Role

MAX_LISTED = 1000
"""The most sessions that one list holds."""


@dataclass(frozen=True)
class AddUploadSession(ImageOperation[UploadSession], DataCall[UploadSession]):
    """Make ``session``, which ends ``lifetime`` after its last byte, for a queued image, and return it.

    A session that joins parts needs no ``size``: it has that of its parts, which must be complete. The bytes count as
    staged data at once. The layers set ``session`` with the caller, ``lifetime``, ``grace`` (see ``SaveUpload``) and
    the limits. Raises StatusConflict, Invalid (a format is missing, or a part is none), LimitExceeded, NotFound.
    """

    name: ClassVar[str] = "add_upload_session"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    size: int = 0
    store: str | None = None
    metadata: str = ""
    is_part: bool = False
    parts: tuple[str, ...] = ()
    session: UploadSession | None = None
    lifetime: timedelta = timedelta(days=1)
    grace: timedelta = timedelta(minutes=1)
    limits: Limits = NO_LIMITS
    session_limits: SessionLimits = NO_SESSION_LIMITS


@dataclass(frozen=True)
class ListUploadSessions(ImageOperation[tuple[UploadSession, ...]], DataQuery[tuple[UploadSession, ...]]):
    """Return the sessions of the image that have not expired, the oldest first; at most ``MAX_LISTED``."""

    name: ClassVar[str] = "list_upload_sessions"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class GetUploadSession(ImageOperation[UploadSession], DataQuery[UploadSession]):
    """Return a session of the image. Raises UploadSessionNotFound, also for one that has expired."""

    name: ClassVar[str] = "get_upload_session"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    session_id: str = ""


@dataclass(frozen=True)
class ExtendUploadSession(ImageOperation[UploadSession]):
    """Add ``chunks`` at ``offset`` to what was sent, and return the session; what has arrived stays if they break off.

    ``size`` in bytes, None if the client did not announce it. ``checksum`` is an algorithm and the digest that the
    chunks must have: then all of them stay or none. A chunk may change when ``blocks`` further ones have been asked
    for. Raises UploadSessionNotFound, OffsetConflict, ChecksumMismatch, Forbidden, Invalid, StatusConflict,
    Unavailable, and of the store DraftInUse and StorageFull.
    """

    name: ClassVar[str] = "extend_upload_session"
    for_owner: ClassVar[bool] = True
    session_id: str = ""
    offset: int = 0
    chunks: Iterable[bytes | bytearray | memoryview] = field(default=(), repr=False)
    blocks: int = 1
    size: int | None = None
    checksum: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class DeleteUploadSession(ImageOperation[UploadSession], DataCall[UploadSession]):
    """End a session, whose bytes a reaper removes, and return it as it was; raises UploadSessionNotFound.

    One that was finished is only forgotten.
    """

    name: ClassVar[str] = "delete_upload_session"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    session_id: str = ""


@dataclass(frozen=True)
class SaveUpload(DataCall[UploadSession]):
    """Record that ``received`` bytes of a session are durable, where there were ``before``, and return it.

    The session ends ``lifetime`` from now. If it is complete and no part, a job is due to finish it after ``grace``.
    Raises UploadSessionNotFound, also for one that was finished; OffsetConflict.
    """

    name: ClassVar[str] = "save_upload"
    image_id: str
    session_id: str
    before: int
    received: int
    lifetime: timedelta
    grace: timedelta


@dataclass(frozen=True)
class TakeUnfinishedUploads(DataCall[tuple[UploadSession, ...]]):
    """Return up to 100 complete uploads that nobody finishes; each is given again after ``retry``.

    An image that is ``saving`` is left alone.
    """

    name: ClassVar[str] = "take_unfinished_uploads"
    retry: timedelta


@dataclass(frozen=True)
class PurgeUploadSessions(DataCall[int]):
    """Remove up to ``max_rows`` sessions that have expired, and return their number."""

    name: ClassVar[str] = "purge_upload_sessions"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (
    AddUploadSession,
    ListUploadSessions,
    GetUploadSession,
    ExtendUploadSession,
    DeleteUploadSession,
    SaveUpload,
    TakeUnfinishedUploads,
    PurgeUploadSessions,
)
