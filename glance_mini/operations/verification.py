"""Data calls on the verification of stored data: its runs, the copies that it reads, and its findings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import Job
from glance_mini.domain.verification import Finding, StoredCopy, Verification
from glance_mini.operations.base import MIGRATE, WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class BeginVerification(DataCall[Job | None]):
    """Add ``job`` as a new run and return it.

    With an ``interval``, return None if a run goes on, or if the last one began less than that ago. Without one, raise
    Conflict if a run goes on.
    """

    name: ClassVar[str] = "begin_verification"
    callers: ClassVar[frozenset[Role]] = WORKER | MIGRATE
    job: Job
    interval: timedelta | None = None


@dataclass(frozen=True)
class EndVerification(DataCall[None]):
    """End the run of ``job`` with ``counts``, and forget older findings in the stores that it has seen whole.

    Raises Gone if the process no longer holds the job.
    """

    name: ClassVar[str] = "end_verification"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    counts: Mapping[str, int]
    stores: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListVerifications(DataQuery[tuple[Verification, ...]]):
    """Return up to ``max_rows`` runs, the latest first."""

    name: ClassVar[str] = "list_verifications"
    max_rows: int


@dataclass(frozen=True)
class ListCopies(DataQuery[tuple[StoredCopy, ...]]):
    """Return up to ``max_rows`` copies whose location has a larger id than ``after``, in the order of the ids.

    Images in the trash are among them, because they can be restored.
    """

    name: ClassVar[str] = "list_copies"
    after: int
    max_rows: int


@dataclass(frozen=True)
class CountCopies(DataQuery[int]):
    """Return the number of copies of all images."""

    name: ClassVar[str] = "count_copies"


@dataclass(frozen=True)
class FindData(DataQuery[dict[str, frozenset[str]]]):
    """Return what is known of data in any store, as locations and as names of uploads in progress.

    The keys are those of ``image_ids`` that an image has or had, with all data of the image that is stored, staged,
    being uploaded or being deleted. The key "" has those of ``urls`` that are locations.
    """

    name: ClassVar[str] = "find_data"
    image_ids: frozenset[str]
    urls: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True)
class RecordFindings(DataCall[int]):
    """Record findings, each in place of an older one of the same store and subject; return how many were recorded.

    There are never more than ``most`` findings: new ones beyond that are left out.
    """

    name: ClassVar[str] = "record_findings"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    findings: tuple[Finding, ...]
    most: int


@dataclass(frozen=True)
class ListFindings(DataQuery[tuple[Finding, ...]]):
    """Return up to ``max_rows`` findings with a larger id than ``after``, in the order of the ids."""

    name: ClassVar[str] = "list_findings"
    after: int
    max_rows: int


@dataclass(frozen=True)
class ReplaceLocation(DataCall[Image]):
    """Let ``location`` take the place of the location ``old`` of an image, whose data becomes a pending deletion.

    Returns the image. Raises Gone, and changes nothing, if the process no longer holds ``job``, or if the image no
    longer has ``old`` or was deleted.
    """

    name: ClassVar[str] = "replace_location"
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    image_id: str
    old: Location
    location: Location


OPERATIONS: tuple[type[Operation[object]], ...] = (
    BeginVerification,
    EndVerification,
    ListVerifications,
    ListCopies,
    CountCopies,
    FindData,
    RecordFindings,
    ListFindings,
    ReplaceLocation,
)
