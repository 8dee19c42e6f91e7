"""Data calls on the links between incremental images and their bases (api-incremental)."""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.domain.query import EVERYTHING, Scope
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.transfer import StoredData
from glance_mini.operations.base import WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class LoadChain(DataQuery[tuple[Image, ...]]):
    """Return an image, its base, the base of that, and so on; the last one is whole.

    Raises NotFound if ``scope`` may not see one of them.
    """

    name: ClassVar[str] = "load_chain"
    image_id: str
    scope: Scope = EVERYTHING


@dataclass(frozen=True)
class GetDiskIndex(DataQuery[bytes]):
    """Return the index of the complete disk of an incremental image, empty if there is none."""

    name: ClassVar[str] = "get_disk_index"
    image_id: str


@dataclass(frozen=True)
class ListDependents(DataQuery[tuple[str, ...]]):
    """Return up to ``max_rows`` images that are based on the image itself, in the order of their ids, after ``after``.

    Images in the trash are among them, because they can be restored.
    """

    name: ClassVar[str] = "list_dependents"
    image_id: str
    max_rows: int
    after: str = ""


@dataclass(frozen=True)
class RecordDiskHashes(DataCall[bool]):
    """Set the hashes of the complete disk of an incremental image and return True.

    Returns False, and sets nothing, if the image has no longer the delta at ``url`` and ``size`` bytes.
    """

    name: ClassVar[str] = "record_disk_hashes"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    image_id: str
    url: str
    size: int
    checksum: str | None
    os_hash_algo: str
    os_hash_value: str


@dataclass(frozen=True)
class SaveDiskIndex(DataCall[bool]):
    """Keep ``index`` for the complete disk of an incremental image and return True.

    Returns False, and keeps nothing, if the image has no longer the delta at ``url`` or other than ``depth`` bases.
    """

    name: ClassVar[str] = "save_disk_index"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    image_id: str
    url: str
    depth: int
    index: bytes


@dataclass(frozen=True)
class ReplaceData(DataCall[Image]):
    """Let ``data`` take the place of all data of the active image of ``job``, and return the image.

    The old data becomes pending deletions. The image gets the link of ``data``, or none, and loses its import lock.
    ``keeps_clusters``: the cluster size in bytes with which the complete disks of images that are based on it stay the
    same; None: there may be no such images. The indexes of those disks go, because they are of other files. ``jobs``
    are added. Raises ChainConflict, Conflict, LimitExceeded, and Gone as ``RecordImport``.
    """

    name: ClassVar[str] = "replace_data"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    job: Job
    data: StoredData
    keeps_clusters: int | None = None
    jobs: tuple[Job, ...] = ()
    limits: Limits = NO_LIMITS


OPERATIONS: tuple[type[Operation[object]], ...] = (
    LoadChain,
    GetDiskIndex,
    ListDependents,
    RecordDiskHashes,
    SaveDiskIndex,
    ReplaceData,
)
