"""The image and its locations as immutable values (api-images).

What may follow what among the statuses stands in ``status``; how a change is applied in ``changes``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

RESERVED_NAMESPACE = "os_glance"
"""Custom properties that begin so belong to the service (api-images-reserved)."""

HIDDEN_PROPERTIES = frozenset({"os_glance_stage_host", "os_glance_hash_op_host"})
"""Internal properties that no response shows (api-images-reserved)."""

SCRUB_AT_PROPERTY = "os_glance_scrub_at"
"""Until when a deleted image can be restored, as lists of such images show it; it is stored nowhere."""

ADDED_BY = "os_glance_added_by"
"""The key of a location's metadata, never shown, that says who has added the location."""

OPERATOR = "operator"
"""An administrator or a service has added the location."""

NO_PROPERTIES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Location:
    """One place where the data of an image is stored; ``id`` is None until the row exists."""

    url: str = field(repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict)
    status: str = "active"
    id: int | None = None

    @property
    def store(self) -> str | None:
        """The id of the store that holds it, None when it is not known."""
        store = self.metadata.get("store")
        return store if isinstance(store, str) else None

    @property
    def is_trusted(self) -> bool:
        """Whether an operator has added it, who vouches for the host that it names."""
        return self.metadata.get(ADDED_BY) == OPERATOR

    @property
    def shown_metadata(self) -> Mapping[str, object]:
        """The metadata without what is the service's own."""
        if ADDED_BY not in self.metadata:
            return self.metadata
        return {key: value for key, value in self.metadata.items() if key != ADDED_BY}


@dataclass(frozen=True, slots=True)
class Image:
    """An image with everything the service knows of it; sizes in bytes, times in UTC without a zone."""

    id: str
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    name: str | None = None
    owner: str | None = None
    visibility: str = "shared"
    protected: bool = False
    os_hidden: bool = False
    container_format: str | None = None
    disk_format: str | None = None
    min_ram: int = 0
    min_disk: int = 0
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=lambda: NO_PROPERTIES)
    locations: tuple[Location, ...] = ()
    deleted_at: datetime | None = None


def is_internal(name: str) -> bool:
    """Tell whether the custom property ``name`` belongs to the service and not to users."""
    return name.startswith(RESERVED_NAMESPACE)


def user_properties(image: Image) -> int:
    """Return how many properties count towards ``image_property_quota`` (api-quotas)."""
    return sum(1 for name in image.properties if not is_internal(name))
