"""Operations on staged data, imports and the locations API (reference 5.3, 6, 10.2, 10.3, 11)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.job import Job
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class StageData(ImageOperation):
    """Put ``chunks`` into the staging area for a queued image and return the image, ``uploading``.

    ``size`` and ``transfer_id`` as for ``UploadData``.
    """

    name: ClassVar[str] = "stage_data"
    chunks: Iterable[bytes] = field(default=(), repr=False)
    size: int | None = None
    limits: Limits = NO_LIMITS
    transfer_id: str | None = None


@dataclass(frozen=True)
class ImportImage(ImageOperation):
    """Begin an import as a job and return the ``Job``; None where there is nothing to do.

    ``header_store`` is the store named by a header instead of the body. ``job`` is the one that has asked for the
    import and does it itself, held by a worker; None: a new one is added.
    """

    name: ClassVar[str] = "import_image"
    request: ImportRequest = field(default_factory=lambda: ImportRequest(method={"name": ""}))
    header_store: str | None = None
    limits: Limits = NO_LIMITS
    job: Job | None = None


@dataclass(frozen=True)
class ListImageTasks(ImageOperation):
    """Return the jobs of the image that the API shows as tasks, newest first."""

    name: ClassVar[str] = "list_image_tasks"


@dataclass(frozen=True)
class GetLocations(ImageOperation):
    """Return the locations of the image."""

    name: ClassVar[str] = "get_locations"


@dataclass(frozen=True)
class AddLocation(ImageOperation):
    """Add a location to a queued image; verification of its hash goes on as a job. Returns the image.

    ``hash_algorithm`` and ``hash_value`` come both or not at all.
    """

    name: ClassVar[str] = "add_location"
    url: str = field(default="", repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict)
    hash_algorithm: str | None = None
    hash_value: str | None = None
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class DeleteFromStore(ImageOperation):
    """Remove the data of an active image from one of its stores; returns the image."""

    name: ClassVar[str] = "delete_from_store"
    store: str = ""


@dataclass(frozen=True)
class BeginStaging(Operation):
    """Move a queued image to ``uploading`` and record ``transfer``, as ``BeginTransfer`` does; returns the image."""

    name: ClassVar[str] = "begin_staging"
    internal: ClassVar[bool] = True
    transfer: Transfer
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class RecordStaged(Operation):
    """End the transfer of a staging with the data that it brought; returns the image."""

    name: ClassVar[str] = "record_staged"
    internal: ClassVar[bool] = True
    transfer: Transfer
    staged: StagedData


@dataclass(frozen=True)
class GetStaged(Operation):
    """Return the staged data of an image, None where there is none."""

    name: ClassVar[str] = "get_staged"
    internal: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class ForgetStaged(Operation):
    """Forget staged data whose bytes are gone."""

    name: ClassVar[str] = "forget_staged"
    internal: ClassVar[bool] = True
    image_id: str


@dataclass(frozen=True)
class BeginImport(Operation):
    """Take the import lock of an image, set its status and ``properties`` and add ``job``, all at once."""

    name: ClassVar[str] = "begin_import"
    internal: ClassVar[bool] = True
    job: Job
    expect: str
    status: str
    properties: Mapping[str, str]
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class RecordImport(Operation):
    """Add the location that an import has written; see ``JobAccess.record_import``. Returns the image."""

    name: ClassVar[str] = "record_import"
    internal: ClassVar[bool] = True
    job: Job
    data: StoredData
    properties: Mapping[str, str]
    status: str | None = None
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class EndImport(Operation):
    """Set progress properties and status of an import's image; see ``JobAccess.end_import``. Returns the image."""

    name: ClassVar[str] = "end_import"
    internal: ClassVar[bool] = True
    job: Job
    properties: Mapping[str, str | None]
    status: str | None = None
    drop_urls: tuple[str, ...] = ()


OPERATIONS: tuple[type[Operation], ...] = (
    StageData,
    ImportImage,
    ListImageTasks,
    GetLocations,
    AddLocation,
    DeleteFromStore,
    BeginStaging,
    RecordStaged,
    GetStaged,
    ForgetStaged,
    BeginImport,
    RecordImport,
    EndImport,
)
