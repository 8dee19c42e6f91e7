"""Import requests, the rules of import methods, and the properties that show an import's progress (api-imports)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from glance_mini.domain.image import Image
from glance_mini.domain.job import Job

GLANCE_DIRECT = "glance-direct"
WEB_DOWNLOAD = "web-download"
COPY_IMAGE = "copy-image"
GLANCE_DOWNLOAD = "glance-download"


@dataclass(frozen=True, slots=True)
class MethodRule:
    """The requirements of an import method: the status that the image must have, and the required fields.

    ``further_fields`` are the other fields that the method knows.
    """

    image_status: str = "queued"
    fields: tuple[str, ...] = ()
    further_fields: tuple[str, ...] = ()

    @property
    def is_of_staged(self) -> bool:
        """Whether the method imports data that users staged before."""
        return self.image_status == "uploading"


METHOD_RULES: Mapping[str, MethodRule] = {
    GLANCE_DIRECT: MethodRule("uploading"),
    WEB_DOWNLOAD: MethodRule(further_fields=("uri",)),
    COPY_IMAGE: MethodRule("active"),
    GLANCE_DOWNLOAD: MethodRule(further_fields=("glance_region", "glance_image_id", "glance_service_interface")),
}
"""The methods of the service itself (api-imports-methods); which of their fields are required is checked elsewhere."""

REQUEST_FIELDS = frozenset({"method", "stores", "all_stores", "all_stores_must_succeed", "expected_hash"})
"""The fields of an import request that its job keeps."""

METHOD_FIELDS = frozenset({"name", "uri", "glance_image_id", "glance_region", "glance_service_interface"})
"""The fields of the service's own methods."""

TASK_PROPERTY = "os_glance_import_task"
IMPORTING_PROPERTY = "os_glance_importing_to_stores"
FAILED_PROPERTY = "os_glance_failed_import"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The body of an import call: ``method`` is its object with ``name`` and the fields of that method.

    ``stores`` are ids in the requested order, empty for the default store. ``expected_hashes`` maps algorithms to the
    hex digests that the data must have before the image becomes active.
    """

    method: Mapping[str, str]
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    all_stores_must_succeed: bool = True
    expected_hashes: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the method."""
        return self.method["name"]


@dataclass(frozen=True, slots=True)
class ImportBegun:
    """An import that has begun: the current image, its job, and the dead jobs that it replaced and made fail."""

    image: Image
    job: Job
    broken: tuple[Job, ...] = ()
