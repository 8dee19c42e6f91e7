"""Operations on the links of an image, and the data calls on them."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.job import Job
from glance_mini.domain.links import Link, Maker
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.base import WORKER, DataCall, DataQuery, ImageOperation, Operation, Role

MAX_LISTED = 1000
"""The most links that one list holds."""


@dataclass(frozen=True)
class AddLink(ImageOperation[Link], DataCall[Link]):
    """Make a link to the data of the image that is valid for ``lifetime``, and return it.

    ``digest`` is the hash of its secret. The layers set ``link``, with the caller, and ``limit``, the maximum number of
    valid links of the caller's project, the new one included; None means any number. Raises LimitExceeded, NotFound.
    """

    name: ClassVar[str] = "add_link"
    internal: ClassVar[bool] = False
    digest: str = field(default="", repr=False)
    lifetime: timedelta = timedelta(minutes=15)
    link: Link | None = None
    limit: int | None = None


@dataclass(frozen=True)
class ListLinks(ImageOperation[tuple[Link, ...]], DataQuery[tuple[Link, ...]]):
    """Return the valid links of the image that the caller may see, those that end first; at most ``MAX_LISTED``.

    ``maker`` limits the result to the links of one user in one project; None means all.
    """

    name: ClassVar[str] = "list_links"
    internal: ClassVar[bool] = False
    maker: Maker | None = None


@dataclass(frozen=True)
class DeleteLink(ImageOperation[None], DataCall[None]):
    """End a link of the image. Raises LinkNotFound, also for one that ``maker`` did not make; None is any."""

    name: ClassVar[str] = "delete_link"
    internal: ClassVar[bool] = False
    link_id: str = ""
    maker: Maker | None = None


@dataclass(frozen=True)
class UploadAddress:
    """A link for an upload, with the ``url`` of a store to which the data is sent."""

    link: Link
    url: str = field(repr=False)


@dataclass(frozen=True)
class AddUploadLink(ImageOperation[UploadAddress]):
    """Let whoever has the address send ``size`` bytes for ``lifetime`` to a store, for a queued image.

    ``store`` is the id of the store, None for the default. The layers set ``limits``, and ``limit`` as for ``AddLink``.
    Raises StatusConflict, Invalid (a format is missing, or the store cannot do it), LimitExceeded.
    """

    name: ClassVar[str] = "add_upload_link"
    for_owner: ClassVar[bool] = True
    size: int = 0
    lifetime: timedelta = timedelta(minutes=15)
    store: str | None = None
    limits: Limits = NO_LIMITS
    limit: int | None = None


@dataclass(frozen=True)
class CompleteUpload(ImageOperation[Job]):
    """Begin the job that makes what was sent by the link the data of the image, and return it.

    Raises LinkNotFound, Conflict if nothing or something of another size was sent, StatusConflict.
    """

    name: ClassVar[str] = "complete_upload"
    for_owner: ClassVar[bool] = True
    link_id: str = ""
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class GetLink(DataQuery[Link]):
    """Return a valid link of an image; LinkNotFound."""

    name: ClassVar[str] = "get_link"
    image_id: str
    link_id: str


@dataclass(frozen=True)
class FindLink(DataQuery[Link]):
    """Return the link whose secret has the hash ``digest``. Raises LinkNotFound, also for one that has expired."""

    name: ClassVar[str] = "find_link"
    digest: str = field(repr=False)


@dataclass(frozen=True)
class PurgeLinks(DataCall[int]):
    """Remove up to ``max_rows`` links that have expired, and return their number."""

    name: ClassVar[str] = "purge_links"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (
    AddLink,
    ListLinks,
    DeleteLink,
    AddUploadLink,
    CompleteUpload,
    GetLink,
    FindLink,
    PurgeLinks,
)
