"""Data calls by which images move in from another image service, and out to one. Each is one transaction.

Events are not published for them. All calls may raise Unavailable.
"""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.domain.job import Job
from glance_mini.domain.metadefs import NamespaceContent
from glance_mini.domain.migration import BuriedId, ImageRecord, TakenOver
from glance_mini.operations.base import MIGRATE, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class TakeOverImages(DataCall[TakenOver]):
    """Store images as they are, with ids, times, members and quota usage, and return what was done.

    An image that differs is replaced, unless it was changed here later than ``record.image.updated_at``. Data that the
    image no longer refers to is not removed: the other service has removed it. A membership that differs is replaced by
    a later one. Ids of images that were deleted here stay deleted. ``is_rehearsal``: nothing is written, and the result
    is the same. Raises Conflict if another process stores one of the images at the same time.
    """

    name: ClassVar[str] = "take_over_images"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    records: tuple[ImageRecord, ...]
    is_rehearsal: bool = False


@dataclass(frozen=True)
class BuryImages(DataCall[TakenOver]):
    """Make sure that the ids of images that were deleted elsewhere are never used here, and return what was done.

    An image with such an id is removed with its record, but not its data, unless it was changed here after its
    ``deleted_at``. ``is_rehearsal`` and errors as for ``TakeOverImages``.
    """

    name: ClassVar[str] = "bury_images"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    buried: tuple[BuriedId, ...]
    is_rehearsal: bool = False


@dataclass(frozen=True)
class TakeOverJobs(DataCall[TakenOver]):
    """Store the records of ended jobs as they are, with ids and times, and return what was done.

    A record that differs is replaced. ``is_rehearsal`` and errors as for ``TakeOverImages``.
    """

    name: ClassVar[str] = "take_over_jobs"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    jobs: tuple[Job, ...]
    is_rehearsal: bool = False


@dataclass(frozen=True)
class TakeOverNamespaces(DataCall[TakenOver]):
    """Store namespaces of metadata definitions as they are, with their parts and times, and return what was done.

    All have times. A namespace that differs is replaced, unless it was changed here later. ``resource_types`` that are
    not known are added. ``is_rehearsal`` as for ``TakeOverImages``.
    """

    name: ClassVar[str] = "take_over_namespaces"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    namespaces: tuple[NamespaceContent, ...]
    resource_types: tuple[str, ...] = ()
    is_rehearsal: bool = False


@dataclass(frozen=True)
class ListRecords(DataQuery[tuple[ImageRecord, ...]]):
    """Return up to ``max_rows`` images with their members, those in the trash included, in the order of their ids.

    The first one has an id after ``after``. Texts of properties, tags and locations have at most ``max_bytes`` together
    unless the first image alone has more.
    """

    name: ClassVar[str] = "list_records"
    after: str
    max_rows: int
    max_bytes: int = 16 * 1024**2


@dataclass(frozen=True)
class ListBuried(DataQuery[tuple[BuriedId, ...]]):
    """Return up to ``max_rows`` ids of deleted images after the id ``after``, in their order."""

    name: ClassVar[str] = "list_buried"
    after: str
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (
    TakeOverImages,
    BuryImages,
    TakeOverJobs,
    TakeOverNamespaces,
    ListRecords,
    ListBuried,
)
