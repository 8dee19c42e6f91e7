"""Data calls on images, transfers, staged data and imports. Each is one transaction.

The data access layer sets times; a call carries durations only. All calls may raise Unavailable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportBegun
from glance_mini.domain.job import Job
from glance_mini.domain.query import EVERYTHING, Scope
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import DataRemoval, DeletedImage, StoredData, Transfer
from glance_mini.domain.upload_session import UploadSession
from glance_mini.operations.base import API, MIGRATE, WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class LoadImage(DataQuery[Image]):
    """Return the image with that id; raises NotFound if it is deleted or ``scope`` may not see it.

    ``purpose`` is the name of the operation that needs the image, or empty. ``of_deleted``: an image in the trash is
    found too if ``scope`` may restore it.
    """

    name: ClassVar[str] = "load_image"
    image_id: str
    scope: Scope = EVERYTHING
    purpose: str = ""
    of_deleted: bool = False


@dataclass(frozen=True)
class SetStatus(DataCall[Image]):
    """Move an image from one of the statuses ``expect`` to ``status`` and return it.

    ``spares_bases``: raise ChainConflict if an active image is based on it. Raises StatusConflict, NotFound.
    """

    name: ClassVar[str] = "set_status"
    image_id: str
    status: str
    expect: frozenset[str]
    spares_bases: bool = False


@dataclass(frozen=True)
class MarkDeleted(DataCall[Image]):
    """Mark the image deleted, make its locations and staged data pending deletions, free its quota; return the image.

    A running transfer of the image can no longer record its data. ``seen`` is the image as it was read before, which
    saves a read if it has not changed. Raises NotFound, Forbidden (protected).
    """

    name: ClassVar[str] = "mark_deleted"
    image_id: str
    seen: Image | None = None


@dataclass(frozen=True)
class MoveToTrash(DataCall[Image]):
    """Move the image to the trash, where it can be restored for ``keep``, and return it as ``pending_delete``.

    It keeps its data, properties, tags and members and frees its quota. Only lists of the trash show it. ``job`` is
    added, due when ``keep`` is over. Raises NotFound, Forbidden (protected), StatusConflict.
    """

    name: ClassVar[str] = "move_to_trash"
    image_id: str
    keep: timedelta
    job: Job


@dataclass(frozen=True)
class DeleteFromTrash(DataCall[Image]):
    """Delete an image in the trash permanently, as ``MarkDeleted`` does, and return it.

    Raises NotFound; with ``only_due`` also if the image can still be restored for a while.
    """

    name: ClassVar[str] = "delete_from_trash"
    callers: ClassVar[frozenset[Role]] = API | WORKER | MIGRATE
    image_id: str
    only_due: bool = False


@dataclass(frozen=True)
class ListTrash(DataQuery[tuple[DeletedImage, ...]]):
    """Return up to ``max_rows`` images in the trash, those with the least time left first."""

    name: ClassVar[str] = "list_trash"
    max_rows: int


@dataclass(frozen=True)
class UndoDeletion(DataCall[Image]):
    """Undo ``MarkDeleted`` for the locations whose deletion is still pending and return the image.

    ``image`` is the image before its deletion. Raises NotFound if no pending deletion is left.
    """

    name: ClassVar[str] = "undo_deletion"
    image: Image


@dataclass(frozen=True)
class PurgeImages(DataCall[int]):
    """Remove up to ``max_rows`` images deleted longer than ``older_than`` ago; return the number of removed images.

    Their ids are never used again. An image with pending deletions or a transfer stays.
    """

    name: ClassVar[str] = "purge_images"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    older_than: timedelta
    max_rows: int


@dataclass(frozen=True)
class CountUsage(DataQuery[dict[str, int]]):
    """Return the usage of a project by resource (bytes and counts), with reservations.

    ``project_id`` None means all projects together.
    """

    name: ClassVar[str] = "count_usage"
    project_id: str | None = None


@dataclass(frozen=True)
class GetProjectLimits(DataQuery[dict[str, int]]):
    """Return the limits that are set for a project, by resource, in bytes or counts; -1 means no limit."""

    name: ClassVar[str] = "get_project_limits"
    project_id: str


@dataclass(frozen=True)
class SetProjectLimits(DataCall[None]):
    """Set limits of a project by resource, in bytes or counts: -1 means no limit, and None removes one that is set."""

    name: ClassVar[str] = "set_project_limits"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    project_id: str
    limits: Mapping[str, int | None]


@dataclass(frozen=True)
class ListProjects(DataQuery[tuple[str, ...]]):
    """Return up to ``max_rows`` projects that have limits or have used anything, by id, from after the id ``after``."""

    name: ClassVar[str] = "list_projects"
    max_rows: int
    after: str = ""


@dataclass(frozen=True)
class Ping(DataQuery[None]):
    """Return None when the database answers."""

    name: ClassVar[str] = "ping"


@dataclass(frozen=True)
class BeginTransfer(DataCall[Image]):
    """Move a queued image to ``saving``, record ``transfer`` with its reservation for ``lease``, and return the image.

    ``to_staging``: the image moves to ``uploading`` and the bytes count as staged data. ``session``: the complete
    upload session whose bytes they are, so that the limits do not count them twice. Raises StatusConflict, NotFound,
    Invalid (a format is missing), LimitExceeded; then nothing was written.
    """

    name: ClassVar[str] = "begin_transfer"
    transfer: Transfer
    lease: timedelta
    limits: Limits = NO_LIMITS
    to_staging: bool = False
    session: UploadSession | None = None


@dataclass(frozen=True)
class ReserveSpace(DataCall[None]):
    """Add ``amount`` bytes to the reservation of a transfer; a negative amount frees bytes.

    Raises LimitExceeded if there is no room, Gone if the transfer no longer exists.
    """

    name: ClassVar[str] = "reserve_space"
    transfer_id: str
    amount: int
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class IsYoungestTransfer(DataQuery[bool]):
    """Return whether no later transfer of the same project holds a reservation; raises Gone."""

    name: ClassVar[str] = "is_youngest_transfer"
    transfer_id: str


@dataclass(frozen=True)
class RecordData(DataCall[Image]):
    """Make the image of a transfer active with ``data``, end the transfer and return the image.

    ``jobs`` are added. ``session``, whose bytes they are, is finished then, and the leases of its staged bytes end. If
    ``data`` has a link, raises what the link forbids: Conflict, ChainConflict, LimitExceeded. Raises Gone and records
    nothing if the image was deleted; TransferLost if the transfer has ended or belongs to another process;
    UploadSessionNotFound.
    """

    name: ClassVar[str] = "record_data"
    transfer: Transfer
    data: StoredData
    jobs: tuple[Job, ...] = ()
    session: UploadSession | None = None


@dataclass(frozen=True)
class AbortTransfer(DataCall[None]):
    """End a transfer without data: its reservation is freed and its image becomes queued if it has no data.

    With ``has_remains`` its row stays and its lease has expired, so that a reaper removes what is left in the store.
    The image may have a later transfer then, which decides about its status. With ``keeps_lease`` the row stays until
    the end of its lease, because more may be left until then, and counts for no project. Does nothing if the transfer
    has ended or belongs to another process.
    """

    name: ClassVar[str] = "abort_transfer"
    may_repeat: ClassVar[bool] = True
    transfer: Transfer
    has_remains: bool = False
    keeps_lease: bool = False


@dataclass(frozen=True)
class LeaveRemains(DataCall[None]):
    """Leave data that may be in a store, and cannot be removed now, to a reaper.

    ``remains`` is a transfer without a reservation: see ``transfer.remains_of``. Its image does not change and need not
    exist. Does nothing if the data has been left already.
    """

    name: ClassVar[str] = "leave_remains"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    remains: Transfer


@dataclass(frozen=True)
class RenewLeases(DataCall[None]):
    """Renew the leases of the transfers that ``process`` still holds to ``lease`` from now."""

    name: ClassVar[str] = "renew_leases"
    may_repeat: ClassVar[bool] = True
    process: str
    transfer_ids: frozenset[str]
    lease: timedelta


@dataclass(frozen=True)
class TakeExpiredTransfers(DataCall[tuple[Transfer, ...]]):
    """Return up to 100 transfers whose lease has expired, now held by ``process`` for ``lease``.

    ``held`` are the transfers that ``process`` itself still works on and does not get; its other transfers are treated
    like those of any process. A transfer is given to one caller only. A transfer to the own disk of another node than
    ``node_url`` is left to that node at first; much later any node gets it, but can only release its image.
    """

    name: ClassVar[str] = "take_expired_transfers"
    process: str
    held: frozenset[str]
    lease: timedelta
    node_url: str | None = None


@dataclass(frozen=True)
class ListRemovals(DataQuery[tuple[DataRemoval, ...]]):
    """Return the pending deletions of an image, oldest first."""

    name: ClassVar[str] = "list_removals"
    image_id: str


@dataclass(frozen=True)
class TakeDueRemovals(DataCall[tuple[DataRemoval, ...]]):
    """Return up to 100 pending deletions that are due; each is due again after ``retry`` unless it is finished.

    Until then a deletion is given to one caller only; if its data is on a node's own disk, only to ``node_url``.
    """

    name: ClassVar[str] = "take_due_removals"
    retry: timedelta
    node_url: str | None = None


@dataclass(frozen=True)
class HoldRemoval(DataCall[bool]):
    """Keep a taken deletion for ``retry`` from now; return False if it is gone or another process has taken it."""

    name: ClassVar[str] = "hold_removal"
    deletion: DataRemoval
    retry: timedelta


@dataclass(frozen=True)
class FinishRemoval(DataCall[None]):
    """Remove a pending deletion whose bytes are gone; do nothing if it does not exist."""

    name: ClassVar[str] = "finish_removal"
    may_repeat: ClassVar[bool] = True
    removal_id: int


@dataclass(frozen=True)
class RecordStaged(DataCall[Image]):
    """End a transfer to the staging area, record its data, set the image's size and return the image.

    Raises Gone as ``RecordData`` does.
    """

    name: ClassVar[str] = "record_staged"
    transfer: Transfer
    staged: StagedData


@dataclass(frozen=True)
class GetStaged(DataQuery[StagedData | None]):
    """Return the staged data of an image, None if it has none."""

    name: ClassVar[str] = "get_staged"
    image_id: str


@dataclass(frozen=True)
class ForgetStaged(DataCall[None]):
    """Remove the record of staged data whose bytes are gone, and free its quota; do nothing if there is no record."""

    name: ClassVar[str] = "forget_staged"
    may_repeat: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class DiscardStaged(DataCall[None]):
    """Turn staged data into a pending deletion for the node that has it; do nothing if the image has none."""

    name: ClassVar[str] = "discard_staged"
    may_repeat: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class ListDataNames(DataQuery[dict[str, frozenset[str]]]):
    """Return, by image, the names of stored, incoming and pending-deletion data in any store.

    Data that the service has written for an upload or a staging under another name belongs to no image. Deleted images
    are included, with the names that are left; ids that this database has never known are not.
    """

    name: ClassVar[str] = "list_data_names"
    image_ids: frozenset[str]


@dataclass(frozen=True)
class BeginImport(DataCall[ImportBegun]):
    """Take the import lock of the image ``job.image_id``, move the image from ``expect`` to ``status`` and add ``job``.

    All of this is one change. ``properties`` (the progress properties, including the lock) are set. A job that a worker
    holds is not added but gets the image. A lock is broken if its job has ended, does not exist or shows no sign of
    life; the record of a job that loses the lock in this way stays for ``keep``. If data was staged on a node's own
    disk, the job is bound to that node. Raises Conflict if a live job holds the lock or a format is missing,
    StatusConflict, NotFound, LimitExceeded; Gone if ``job`` was lost or cancelled.
    """

    name: ClassVar[str] = "begin_import"
    job: Job
    expect: str
    status: str
    properties: Mapping[str, str]
    limits: Limits = NO_LIMITS
    keep: timedelta = timedelta(hours=48)


@dataclass(frozen=True)
class RecordImport(DataCall[Image]):
    """Add the location, sizes and hashes of ``data`` to the image of ``job``, set ``properties`` and return the image.

    ``status`` None keeps the status. Raises Conflict if a hash differs from that of the image, Gone if the job was lost
    or cancelled or the image was deleted, LimitExceeded, Unavailable while older data at the same URL waits for its
    deletion.
    """

    name: ClassVar[str] = "record_import"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    data: StoredData
    properties: Mapping[str, str]
    status: str | None = None
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class EndImport(DataCall[Image]):
    """Set ``properties`` (None removes one) and ``status``, drop the locations ``drop_urls``, and return the image.

    It is used for the progress of an import and for its end, good or bad. An image that becomes ``queued`` loses its
    sizes and hashes. Raises Gone as ``RecordImport`` does.
    """

    name: ClassVar[str] = "end_import"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    properties: Mapping[str, str | None]
    status: str | None = None
    drop_urls: tuple[str, ...] = ()


OPERATIONS: tuple[type[Operation[object]], ...] = (
    LoadImage,
    SetStatus,
    MarkDeleted,
    MoveToTrash,
    DeleteFromTrash,
    ListTrash,
    UndoDeletion,
    PurgeImages,
    CountUsage,
    GetProjectLimits,
    SetProjectLimits,
    ListProjects,
    Ping,
    BeginTransfer,
    ReserveSpace,
    IsYoungestTransfer,
    RecordData,
    AbortTransfer,
    LeaveRemains,
    RenewLeases,
    TakeExpiredTransfers,
    ListRemovals,
    TakeDueRemovals,
    HoldRemoval,
    FinishRemoval,
    RecordStaged,
    GetStaged,
    ForgetStaged,
    DiscardStaged,
    ListDataNames,
    BeginImport,
    RecordImport,
    EndImport,
)
