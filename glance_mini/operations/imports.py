"""Operations on staged data and imports."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.job import Job
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class StageData(ImageOperation[Image]):
    """Put ``chunks`` into the staging area for a queued image and return the image, which becomes ``uploading``.

    ``size``, ``blocks`` and ``transfer_id`` as for ``UploadData``.
    """

    name: ClassVar[str] = "stage_data"
    for_owner: ClassVar[bool] = True
    chunks: Iterable[bytes | bytearray | memoryview] = field(default=(), repr=False)
    blocks: int = 1
    size: int | None = None
    limits: Limits = NO_LIMITS
    transfer_id: str | None = None


@dataclass(frozen=True)
class ImportImage(ImageOperation[Job | None]):
    """Begin an import as a job and return the ``Job``; None if there is nothing to do.

    ``header_store`` is the store named by a header instead of the body. ``job`` is a job, held by a worker, that runs
    the import itself; if it is None, a new job is added.
    """

    name: ClassVar[str] = "import_image"
    request: ImportRequest = field(default_factory=lambda: ImportRequest(method={"name": ""}))
    header_store: str | None = None
    limits: Limits = NO_LIMITS
    job: Job | None = None


OPERATIONS: tuple[type[Operation[object]], ...] = (StageData, ImportImage)
