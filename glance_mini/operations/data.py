"""Operations on the data of an image, and the internal ones that record a transfer (reference section 5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.image import Image
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class UploadData(ImageOperation):
    """Store ``chunks`` as the data of a queued image and return the image, active.

    ``size`` in bytes where the client has told it; ``store`` the id of the store, None for the default one.
    ``chunks`` is read only after every check that needs no data, and raises ClientGone where the body breaks off.
    ``transfer_id`` None lets the location layer choose one.
    """

    name: ClassVar[str] = "upload_data"
    chunks: Iterable[bytes] = field(default=(), repr=False)
    size: int | None = None
    store: str | None = None
    limits: Limits = NO_LIMITS
    transfer_id: str | None = None


@dataclass(frozen=True)
class ImageData:
    """Data of an image: ``chunks`` yields ``length`` bytes from ``offset`` of the image and has ``close()``.

    Where ``chunks.file`` exists and is not None it is a binary file holding the same bytes at the same offset, for
    servers that can send a file; its position tells how far they came. ``close()`` must be called in every case.
    """

    image: Image
    chunks: Iterator[bytes]
    offset: int
    length: int


@dataclass(frozen=True)
class DownloadData(ImageOperation):
    """Return ``ImageData``, or None where the image has no data.

    ``first`` and ``last`` are byte positions as in a Range header, both inclusive: ``first`` None means the last
    ``last`` bytes, ``last`` None the end, both None the whole. ``prefer`` names stores to try first.
    ``head`` asks what a download would give, without data: no store is touched and nothing is told of it.
    Raises RangeNotSatisfiable.
    """

    name: ClassVar[str] = "download_data"
    first: int | None = None
    last: int | None = None
    prefer: tuple[str, ...] = ()
    head: bool = False


@dataclass(frozen=True)
class BeginTransfer(Operation):
    """Move a queued image to ``saving`` and record ``transfer`` with its reservation, or nothing of both.

    Returns the image. Raises StatusConflict, LimitExceeded.
    """

    name: ClassVar[str] = "begin_transfer"
    internal: ClassVar[bool] = True
    transfer: Transfer
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class ReserveSpace(Operation):
    """Add ``amount`` bytes (below 0: give them back) to the reservation of a transfer; LimitExceeded without room.

    Raises Gone where the transfer does not exist any more.
    """

    name: ClassVar[str] = "reserve_space"
    internal: ClassVar[bool] = True
    transfer_id: str
    amount: int
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class IsYoungestTransfer(Operation):
    """Tell whether no later transfer of the same project holds a reservation; Gone."""

    name: ClassVar[str] = "is_youngest_transfer"
    internal: ClassVar[bool] = True
    transfer_id: str


@dataclass(frozen=True)
class RecordData(Operation):
    """Make the image of a transfer active with ``data`` and end the transfer; returns the image.

    Raises Gone, and records nothing, where the transfer is no longer ours or the image was deleted.
    """

    name: ClassVar[str] = "record_data"
    internal: ClassVar[bool] = True
    transfer: Transfer
    data: StoredData


@dataclass(frozen=True)
class AbortTransfer(Operation):
    """End a transfer without data: the reservation goes back, the image becomes queued if it is still ``saving``."""

    name: ClassVar[str] = "abort_transfer"
    internal: ClassVar[bool] = True
    transfer: Transfer


@dataclass(frozen=True)
class ListDeletions(Operation):
    """Return the pending deletions of an image, oldest first."""

    name: ClassVar[str] = "list_deletions"
    internal: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class FinishDeletion(Operation):
    """Forget a pending deletion: its bytes are gone."""

    name: ClassVar[str] = "finish_deletion"
    internal: ClassVar[bool] = True
    deletion_id: int


@dataclass(frozen=True)
class UndoDeletion(Operation):
    """Undo a deletion that a store refused: the image is again what ``image`` says, with its pending locations."""

    name: ClassVar[str] = "undo_deletion"
    internal: ClassVar[bool] = True
    image: Image


OPERATIONS: tuple[type[Operation], ...] = (
    UploadData,
    DownloadData,
    BeginTransfer,
    ReserveSpace,
    IsYoungestTransfer,
    RecordData,
    AbortTransfer,
    ListDeletions,
    FinishDeletion,
    UndoDeletion,
)
