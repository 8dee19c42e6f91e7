"""Metadata definitions: namespaces, and what belongs to a namespace (api-metadefs).

Definitions of properties and objects are JSON objects in the form of the schemas. Times are UTC without a zone; values
that are not stored yet have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.errors import LimitExceeded

VISIBILITIES = ("public", "private")
IMAGE_TYPE = "OS::Glance::Image"
"""The resource type of images."""

Definition = Mapping[str, object]
"""What a property may be: a JSON object with ``type``, ``title`` and perhaps more (api-metadefs-properties)."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type of resource to which properties may belong, such as ``OS::Nova::Flavor``."""

    name: str
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """The use of the properties of a namespace on the resource type ``name``; ``prefix`` precedes their names there."""

    name: str
    prefix: str | None = None
    properties_target: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PropertyDefinition:
    """A property; ``definition`` does not repeat its name."""

    name: str
    definition: Definition = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObjectDefinition:
    """A group of properties by name; ``required`` are the names of those that must be set."""

    name: str
    description: str | None = None
    required: tuple[str, ...] = ()
    properties: Mapping[str, Definition] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TagDefinition:
    """A word in a namespace."""

    name: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace without what belongs to it; ``id`` is None until the row exists and never given again."""

    name: str
    display_name: str | None = None
    description: str | None = None
    visibility: str = "private"
    protected: bool = False
    owner: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    id: int | None = None

    def attributes(self) -> dict[str, object]:
        """Return what users set, under its names in the API."""
        return {
            "namespace": self.name,
            "display_name": self.display_name,
            "description": self.description,
            "visibility": self.visibility,
            "protected": self.protected,
            "owner": self.owner,
        }


@dataclass(frozen=True, slots=True)
class NamespaceContent:
    """A namespace with what belongs to it, or with a part of that."""

    namespace: Namespace
    associations: tuple[Association, ...] = ()
    properties: tuple[PropertyDefinition, ...] = ()
    objects: tuple[ObjectDefinition, ...] = ()
    tags: tuple[TagDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class NamespaceQuery:
    """A page of namespaces, those with any of ``resource_types`` if there are some; ``marker`` is a name.

    ``sort_key`` is one of ``NAMESPACE_SORT_KEYS``.
    """

    visibility: str | None = None
    resource_types: tuple[str, ...] = ()
    sort_key: str = "created_at"
    sort_dir: str = "desc"
    marker: str | None = None
    limit: int = 25


NAMESPACE_SORT_KEYS = ("created_at", "updated_at", "namespace")
TAG_SORT_KEYS = ("created_at", "updated_at", "name")


@dataclass(frozen=True, slots=True)
class PartQuery:
    """A page of what belongs to a namespace; ``marker`` is the name of the last one before it."""

    sort_key: str = "name"
    sort_dir: str = "asc"
    marker: str | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class NamespacePage:
    """Namespaces with their associations; ``next_marker`` is the last name, None if no page follows."""

    namespaces: tuple[NamespaceContent, ...]
    next_marker: str | None = None


@dataclass(frozen=True, slots=True)
class PropertyPage:
    """Properties of a namespace; ``next_marker`` is the last name, None if no page follows."""

    properties: tuple[PropertyDefinition, ...]
    next_marker: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """Objects of a namespace; ``next_marker`` is the last name, None if no page follows."""

    objects: tuple[ObjectDefinition, ...]
    next_marker: str | None = None


@dataclass(frozen=True, slots=True)
class TagPage:
    """Tags of a namespace; ``next_marker`` is the last name, None if no page follows."""

    tags: tuple[TagDefinition, ...]
    next_marker: str | None = None


@dataclass(frozen=True, slots=True)
class TagsWritten:
    """The tags that a call has added to ``namespace``, and how many it has removed before."""

    namespace: Namespace
    tags: tuple[TagDefinition, ...]
    removed: int = 0


@dataclass(frozen=True, slots=True)
class MetadefLimits:
    """Limits that one write of metadata definitions must respect; None means no limit.

    ``namespaces`` are those of one project, ``resource_types`` those of the service; the others are of one namespace.
    ``definition_bytes`` is the size of one property or object, ``total_bytes`` that of all of them together, as JSON.
    """

    namespaces: int | None = None
    resource_types: int | None = None
    associations: int | None = None
    properties: int | None = None
    objects: int | None = None
    tags: int | None = None
    definition_bytes: int | None = None
    total_bytes: int | None = None

    def check(self, resource: str, wanted: int) -> None:
        """Raise LimitExceeded if ``wanted`` is more than the limit for ``resource``, a field of this class."""
        limit: int | None = getattr(self, resource)
        if limit is not None and wanted > limit:
            raise LimitExceeded(resource=f"metadef {resource}", limit=limit, wanted=wanted)


NO_METADEF_LIMITS = MetadefLimits()
