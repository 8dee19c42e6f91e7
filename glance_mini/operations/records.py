"""Data calls about images, transfers, staged data and imports. Each is one transaction.

Times are set by the data access layer; a call carries durations only. All may raise Unavailable.
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
from glance_mini.domain.transfer import DeletedImage, Deletion, StoredData, Transfer
from glance_mini.operations.base import DataCall, DataQuery, Operation


@dataclass(frozen=True)
class LoadImage(DataQuery[Image]):
    """Return the image of that id as ``scope`` may see it; NotFound, also for a deleted one.

    ``purpose`` is the name of the operation that wants it, or empty. ``of_deleted``: a deleted image is found too
    where ``scope`` may restore it.
    """

    name: ClassVar[str] = "load_image"
    image_id: str
    scope: Scope = EVERYTHING
    purpose: str = ""
    of_deleted: bool = False


@dataclass(frozen=True)
class SetStatus(DataCall[Image]):
    """Move an image from one of the statuses ``expect`` to ``status`` and return it; StatusConflict, NotFound."""

    name: ClassVar[str] = "set_status"
    image_id: str
    status: str
    expect: frozenset[str]


@dataclass(frozen=True)
class MarkDeleted(DataCall[Image]):
    """Mark the image deleted, make its locations and its staged data pending deletions, give back its quota.

    Returns the image as it now is. A transfer that runs loses its claim. Raises NotFound, Forbidden (protected).
    """

    name: ClassVar[str] = "mark_deleted"
    image_id: str


@dataclass(frozen=True)
class MoveToTrash(DataCall[Image]):
    """Delete the image so that it can be restored for ``keep``: ``pending_delete``, with all that it has.

    ``job`` is added with it, due when ``keep`` is over. Only lists of such images show it from then on, and its quota
    is given back. Raises NotFound, Forbidden (protected), StatusConflict.
    """

    name: ClassVar[str] = "move_to_trash"
    image_id: str
    keep: timedelta
    job: Job


@dataclass(frozen=True)
class DeleteFromTrash(DataCall[Image]):
    """Delete an image that could be restored for good, as ``MarkDeleted`` does, and return it.

    ``only_due``: NotFound where it can still be restored for a while. Raises NotFound.
    """

    name: ClassVar[str] = "delete_from_trash"
    image_id: str
    only_due: bool = False


@dataclass(frozen=True)
class ListTrash(DataQuery[tuple[DeletedImage, ...]]):
    """Return up to ``max_rows`` images that can be restored, those that have the least time left first."""

    name: ClassVar[str] = "list_trash"
    max_rows: int


@dataclass(frozen=True)
class UndoDeletion(DataCall[Image]):
    """Undo ``MarkDeleted`` for the locations that are still pending; ``image`` is the image before it.

    Raises NotFound where no pending deletion is left.
    """

    name: ClassVar[str] = "undo_deletion"
    image: Image


@dataclass(frozen=True)
class PurgeImages(DataCall[int]):
    """Remove up to ``max_rows`` images deleted longer than ``older_than`` ago; return how many went.

    Their ids are never given again. An image whose data or upload is still pending stays.
    """

    name: ClassVar[str] = "purge_images"
    may_repeat: ClassVar[bool] = True
    older_than: timedelta
    max_rows: int


@dataclass(frozen=True)
class CountUsage(DataQuery[dict[str, int]]):
    """Return what a project uses and has reserved, by resource (bytes and counts); None: all projects together."""

    name: ClassVar[str] = "count_usage"
    project_id: str | None = None


@dataclass(frozen=True)
class Ping(DataQuery[None]):
    """Return when the database answers."""

    name: ClassVar[str] = "ping"


@dataclass(frozen=True)
class BeginTransfer(DataCall[Image]):
    """Move a queued image to ``saving`` and record ``transfer``, leased for ``lease``, with its reservation.

    ``to_staging``: the image moves to ``uploading`` and the bytes count as staged ones. Returns the image. Raises
    StatusConflict, NotFound, Invalid (a format is missing), LimitExceeded; then nothing was written.
    """

    name: ClassVar[str] = "begin_transfer"
    transfer: Transfer
    lease: timedelta
    limits: Limits = NO_LIMITS
    to_staging: bool = False


@dataclass(frozen=True)
class ReserveSpace(DataCall[None]):
    """Add ``amount`` bytes (below 0: give them back) to the reservation of a transfer; LimitExceeded without room.

    Raises Gone where the transfer does not exist any more.
    """

    name: ClassVar[str] = "reserve_space"
    transfer_id: str
    amount: int
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class IsYoungestTransfer(DataQuery[bool]):
    """Tell whether no later transfer of the same project holds a reservation; Gone."""

    name: ClassVar[str] = "is_youngest_transfer"
    transfer_id: str


@dataclass(frozen=True)
class RecordData(DataCall[Image]):
    """Make the image of a transfer active with ``data`` and end the transfer; returns the image.

    Raises Gone, and records nothing, where the image was deleted; TransferLost where the transfer has ended or is
    another process's.
    """

    name: ClassVar[str] = "record_data"
    transfer: Transfer
    data: StoredData


@dataclass(frozen=True)
class AbortTransfer(DataCall[None]):
    """End a transfer without data: the reservation goes back, an image without data becomes queued; nothing if gone."""

    name: ClassVar[str] = "abort_transfer"
    may_repeat: ClassVar[bool] = True
    transfer: Transfer


@dataclass(frozen=True)
class RenewLeases(DataCall[None]):
    """Prolong the leases of those transfers that ``process`` still holds to ``lease`` from now."""

    name: ClassVar[str] = "renew_leases"
    may_repeat: ClassVar[bool] = True
    process: str
    transfer_ids: frozenset[str]
    lease: timedelta


@dataclass(frozen=True)
class TakeExpiredTransfers(DataCall[tuple[Transfer, ...]]):
    """Return up to 100 transfers whose lease has ended, now held by ``process`` for ``lease``.

    ``held`` are the transfers that ``process`` itself still works on; it gets its other ones back as those of any
    process. A transfer is given to one caller only. One that writes to the own disk of another node than ``host`` is
    first left to that node; much later it is given to any, who can only free its image.
    """

    name: ClassVar[str] = "take_expired_transfers"
    process: str
    held: frozenset[str]
    lease: timedelta
    host: str | None = None


@dataclass(frozen=True)
class ListDeletions(DataQuery[tuple[Deletion, ...]]):
    """Return the pending deletions of an image, oldest first."""

    name: ClassVar[str] = "list_deletions"
    image_id: str


@dataclass(frozen=True)
class TakeDueDeletions(DataCall[tuple[Deletion, ...]]):
    """Return up to 100 pending deletions that are due; each comes again after ``retry`` unless finished.

    A deletion is given to one caller only until then; one on a node's own disk to ``host`` only.
    """

    name: ClassVar[str] = "take_due_deletions"
    retry: timedelta
    host: str | None = None


@dataclass(frozen=True)
class HoldDeletion(DataCall[bool]):
    """Keep a deletion that was taken for ``retry`` from now; False where it is gone or another one's by now."""

    name: ClassVar[str] = "hold_deletion"
    deletion: Deletion
    retry: timedelta


@dataclass(frozen=True)
class FinishDeletion(DataCall[None]):
    """Forget a pending deletion, whose bytes are gone; nothing where it is gone itself."""

    name: ClassVar[str] = "finish_deletion"
    may_repeat: ClassVar[bool] = True
    deletion_id: int


@dataclass(frozen=True)
class RecordStaged(DataCall[Image]):
    """End the transfer of a staging with the data that it brought, set the image's size and return the image.

    Raises Gone as ``RecordData`` does.
    """

    name: ClassVar[str] = "record_staged"
    transfer: Transfer
    staged: StagedData


@dataclass(frozen=True)
class GetStaged(DataQuery[StagedData | None]):
    """Return the staged data of an image, None without any."""

    name: ClassVar[str] = "get_staged"
    image_id: str


@dataclass(frozen=True)
class ForgetStaged(DataCall[None]):
    """Remove the record of staged data, whose bytes are gone, and give back its quota; nothing without any."""

    name: ClassVar[str] = "forget_staged"
    may_repeat: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class DiscardStaged(DataCall[None]):
    """Make a pending deletion of staged data, for the node that has it; nothing without any."""

    name: ClassVar[str] = "discard_staged"
    may_repeat: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class ListDataNames(DataQuery[dict[str, frozenset[str]]]):
    """Return the names under which data of these images is, comes or waits for its deletion, in whatever store.

    What the service has written for an upload or a staging under no such name belongs to nobody. Images that were
    deleted are there, with what is left of them; ids that this database has never known are not.
    """

    name: ClassVar[str] = "list_data_names"
    image_ids: frozenset[str]


@dataclass(frozen=True)
class BeginImport(DataCall[ImportBegun]):
    """Take the import lock of ``job.image_id``, move it from ``expect`` to ``status`` and add ``job``, all at once.

    ``properties`` (the progress properties, the lock among them) are set. A job that a worker holds is not added: it
    gets the image. A lock whose job has ended, does not exist or shows no sign of life is broken; the record of a job
    that loses it so stays for ``keep``. Where data was staged on a node's own disk, the job is bound to that node.
    Raises Conflict where a live job holds the lock or a format is missing, StatusConflict, NotFound, LimitExceeded;
    Gone where ``job`` was lost or cancelled.
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
    """Add the location of ``data`` to the image of ``job`` with its sizes and hashes, set ``properties``; the image.

    ``status`` None leaves the status. Raises Conflict where a hash differs from the one that the image has, Gone where
    the job was lost or cancelled or the image deleted, LimitExceeded, Unavailable while older data in the same place
    waits for its deletion.
    """

    name: ClassVar[str] = "record_import"
    may_repeat: ClassVar[bool] = True
    job: Job
    data: StoredData
    properties: Mapping[str, str]
    status: str | None = None
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class EndImport(DataCall[Image]):
    """Set ``properties`` (None removes one) and ``status``, drop the locations ``drop_urls``, and return the image.

    Used for the end of an import, good or bad, and for its progress. An image that becomes ``queued`` forgets its
    sizes and hashes. Raises Gone as ``RecordImport`` does.
    """

    name: ClassVar[str] = "end_import"
    may_repeat: ClassVar[bool] = True
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
    Ping,
    BeginTransfer,
    ReserveSpace,
    IsYoungestTransfer,
    RecordData,
    AbortTransfer,
    RenewLeases,
    TakeExpiredTransfers,
    ListDeletions,
    TakeDueDeletions,
    HoldDeletion,
    FinishDeletion,
    RecordStaged,
    GetStaged,
    ForgetStaged,
    DiscardStaged,
    ListDataNames,
    BeginImport,
    RecordImport,
    EndImport,
)
