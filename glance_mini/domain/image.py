"""The image and its locations as immutable values (api-images).

``status`` holds the transitions between statuses, ``changes`` applies changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType

from glance_mini.domain.bases import DELTA_KEY, DISK_KEY, Delta, delta_of

RESERVED_NAMESPACE = "os_glance"
"""Custom properties with this prefix belong to the service (api-images-reserved)."""

HIDDEN_PROPERTIES = frozenset({"os_glance_stage_host", "os_glance_hash_op_host"})
"""Internal properties that responses never show (api-images-reserved)."""

SCRUB_AT_PROPERTY = "os_glance_scrub_at"
"""The time until which a deleted image can be restored. Only lists of deleted images show it; it is not stored."""

ADDED_BY = "os_glance_added_by"
"""The key in a location's metadata that says who added the location; it is never shown."""

VERSION = "os_glance_version"
"""The key in a location's metadata that tells data of a user from any other data in its place; it is never shown."""

OPERATOR = "operator"
"""The value of ``ADDED_BY`` if an administrator or a service added the location."""

_OWN_KEYS = frozenset({ADDED_BY, VERSION, DELTA_KEY, DISK_KEY})

MAX_VALUE = 65_535
"""The most bytes of UTF-8 in the value of a custom property, and in the metadata of a location."""

MAX_PROPERTIES = 1024**2
"""The most bytes of UTF-8 in the names and values of all custom properties of an image."""

NO_PROPERTIES: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Location:
    """One place where the data of an image is stored; ``id`` is None until the row exists."""

    url: str = field(repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict)
    status: str = "active"
    id: int | None = None

    @property
    def store(self) -> str | None:
        """The id of the store that holds the data; None if it is not known."""
        store = self.metadata.get("store")
        return store if isinstance(store, str) else None

    @property
    def is_trusted(self) -> bool:
        """Whether an operator added the location and so vouches for the host in its URL."""
        return self.metadata.get(ADDED_BY) == OPERATOR

    @property
    def version(self) -> str | None:
        """What the data must be to be that of the image, if it is a user's own; None: it belongs to the service."""
        version = self.metadata.get(VERSION)
        return version if isinstance(version, str) else None

    @property
    def own_metadata(self) -> Mapping[str, object]:
        """The service's own keys of the metadata, without the store."""
        return {key: value for key, value in self.metadata.items() if key in _OWN_KEYS}

    @property
    def shown_metadata(self) -> Mapping[str, object]:
        """The metadata without the service's own keys."""
        if self.metadata.keys().isdisjoint(_OWN_KEYS):
            return self.metadata
        return {key: value for key, value in self.metadata.items() if key not in _OWN_KEYS}

    @property
    def delta(self) -> Delta | None:
        """What the location holds of an incremental image; None if it holds whole data."""
        return delta_of(self.metadata) if DELTA_KEY in self.metadata else None


@dataclass(frozen=True, slots=True)
class Image:
    """An image with everything the service knows about it; sizes in bytes, times in UTC without a zone.

    ``version`` is the number of its changes when it was read.
    """

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
    properties: Mapping[str, str | None] = field(default_factory=lambda: NO_PROPERTIES)
    locations: tuple[Location, ...] = ()
    deleted_at: datetime | None = None
    version: int = field(default=0, compare=False)

    @property
    def base(self) -> str | None:
        """The id of the image that this one is based on; None if its data is whole (api-incremental)."""
        delta = self.locations[0].delta if self.locations else None
        return None if delta is None else delta.base

    @property
    def stored_bytes(self) -> int:
        """The bytes that its locations hold together, which count for its owner (api-quotas)."""
        size = self.size or 0
        return sum(size if (delta := each.delta) is None else delta.size for each in self.locations)


_OTHERS = ("tags", "properties", "locations", "deleted_at", "version")
PLAIN_FIELDS = tuple(name for name in Image.__slots__ if name not in _OTHERS)
"""The fields that clients, events and policy rules see by the same names, in the order of Image's arguments."""

plain_values: Callable[[Image], tuple[object, ...]] = attrgetter(*PLAIN_FIELDS)
"""Returns the values of ``PLAIN_FIELDS`` of an image."""


def bytes_of_properties(properties: Mapping[str, str | None]) -> int:
    """Return the bytes of UTF-8 in the names and values of ``properties``."""
    return sum(len(name.encode()) + len((value or "").encode()) for name, value in properties.items())


def is_internal(name: str) -> bool:
    """Return whether the custom property ``name`` belongs to the service and not to users."""
    return name.startswith(RESERVED_NAMESPACE)


def user_properties(image: Image) -> int:
    """Return the number of properties that count towards ``image_property_quota`` (api-quotas)."""
    return sum(1 for name in image.properties if not is_internal(name))
