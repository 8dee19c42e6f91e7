"""Operations on the properties, objects and tags of a namespace of metadata definitions."""

from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.metadefs import (
    NO_METADEF_LIMITS,
    MetadefLimits,
    Namespace,
    ObjectDefinition,
    ObjectPage,
    PartQuery,
    PropertyDefinition,
    PropertyPage,
    TagDefinition,
    TagPage,
    TagsWritten,
)
from glance_mini.operations.base import DataCall, DataQuery, NamespaceOperation, Operation


@dataclass(frozen=True)
class GetProperties(NamespaceOperation[PropertyPage], DataQuery[PropertyPage]):
    """Return a page of the properties; raises NotFound if the marker is not a property."""

    name: ClassVar[str] = "get_metadef_properties"
    internal: ClassVar[bool] = False
    query: PartQuery = field(default_factory=PartQuery)


@dataclass(frozen=True)
class AddProperty(NamespaceOperation[PropertyDefinition], DataCall[PropertyDefinition]):
    """Add a property and return it; raises Duplicate, NotFound (the namespace), LimitExceeded."""

    name: ClassVar[str] = "add_metadef_property"
    internal: ClassVar[bool] = False
    new: PropertyDefinition = field(default_factory=lambda: PropertyDefinition(""))
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class DeleteProperties(NamespaceOperation[Namespace], DataCall[Namespace]):
    """Delete all properties and return the namespace; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "delete_metadef_properties"
    internal: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = True


@dataclass(frozen=True)
class GetProperty(NamespaceOperation[PropertyDefinition], DataQuery[PropertyDefinition]):
    """Return a property; raises NotFound.

    With ``resource_type`` its name begins with the prefix of that association, which the result does not repeat.
    """

    name: ClassVar[str] = "get_metadef_property"
    internal: ClassVar[bool] = False
    property_name: str = ""
    resource_type: str | None = None


@dataclass(frozen=True)
class ModifyProperty(NamespaceOperation[PropertyDefinition], DataCall[PropertyDefinition]):
    """Replace a property, its name included, and return it; raises NotFound, Duplicate, LimitExceeded."""

    name: ClassVar[str] = "modify_metadef_property"
    internal: ClassVar[bool] = False
    property_name: str = ""
    new: PropertyDefinition = field(default_factory=lambda: PropertyDefinition(""))
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class RemoveProperty(NamespaceOperation[PropertyDefinition], DataCall[PropertyDefinition]):
    """Delete a property and return it; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "remove_metadef_property"
    internal: ClassVar[bool] = False
    property_name: str = ""


@dataclass(frozen=True)
class GetObjects(NamespaceOperation[ObjectPage], DataQuery[ObjectPage]):
    """Return a page of the objects; raises NotFound if the marker is not an object."""

    name: ClassVar[str] = "get_metadef_objects"
    internal: ClassVar[bool] = False
    query: PartQuery = field(default_factory=PartQuery)


@dataclass(frozen=True)
class AddObject(NamespaceOperation[ObjectDefinition], DataCall[ObjectDefinition]):
    """Add an object and return it; raises Duplicate, NotFound (the namespace), LimitExceeded."""

    name: ClassVar[str] = "add_metadef_object"
    internal: ClassVar[bool] = False
    new: ObjectDefinition = field(default_factory=lambda: ObjectDefinition(""))
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class DeleteObjects(NamespaceOperation[Namespace], DataCall[Namespace]):
    """Delete all objects and return the namespace; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "delete_metadef_objects"
    internal: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = True


@dataclass(frozen=True)
class GetObject(NamespaceOperation[ObjectDefinition], DataQuery[ObjectDefinition]):
    """Return an object; raises NotFound."""

    name: ClassVar[str] = "get_metadef_object"
    internal: ClassVar[bool] = False
    object_name: str = ""


@dataclass(frozen=True)
class ModifyObject(NamespaceOperation[ObjectDefinition], DataCall[ObjectDefinition]):
    """Replace an object, its name included, and return it; raises NotFound, Duplicate, LimitExceeded."""

    name: ClassVar[str] = "modify_metadef_object"
    internal: ClassVar[bool] = False
    object_name: str = ""
    new: ObjectDefinition = field(default_factory=lambda: ObjectDefinition(""))
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class DeleteObject(NamespaceOperation[ObjectDefinition], DataCall[ObjectDefinition]):
    """Delete an object and return it; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "delete_metadef_object"
    internal: ClassVar[bool] = False
    object_name: str = ""


@dataclass(frozen=True)
class GetTags(NamespaceOperation[TagPage], DataQuery[TagPage]):
    """Return a page of the tags; raises NotFound if the marker is not a tag."""

    name: ClassVar[str] = "get_metadef_tags"
    internal: ClassVar[bool] = False
    query: PartQuery = field(default_factory=PartQuery)


@dataclass(frozen=True)
class AddTags(NamespaceOperation[TagsWritten], DataCall[TagsWritten]):
    """Add tags, in place of all others unless ``append``, and return them.

    Raises Duplicate, also if two of ``tags`` are equal, NotFound (the namespace), LimitExceeded, and Forbidden if tags
    of a protected namespace would be removed.
    """

    name: ClassVar[str] = "add_metadef_tags"
    internal: ClassVar[bool] = False
    tags: tuple[str, ...] = ()
    append: bool = False
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class DeleteTags(NamespaceOperation[Namespace], DataCall[Namespace]):
    """Delete all tags and return the namespace; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "delete_metadef_tags"
    internal: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = True


@dataclass(frozen=True)
class AddTag(NamespaceOperation[TagDefinition], DataCall[TagDefinition]):
    """Add a tag and return it; raises Duplicate, NotFound (the namespace), LimitExceeded."""

    name: ClassVar[str] = "add_metadef_tag"
    internal: ClassVar[bool] = False
    tag_name: str = ""
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class GetTag(NamespaceOperation[TagDefinition], DataQuery[TagDefinition]):
    """Return a tag; raises NotFound."""

    name: ClassVar[str] = "get_metadef_tag"
    internal: ClassVar[bool] = False
    tag_name: str = ""


@dataclass(frozen=True)
class ModifyTag(NamespaceOperation[TagDefinition], DataCall[TagDefinition]):
    """Rename a tag to ``new`` and return it; raises NotFound, Duplicate."""

    name: ClassVar[str] = "modify_metadef_tag"
    internal: ClassVar[bool] = False
    tag_name: str = ""
    new: str = ""


@dataclass(frozen=True)
class DeleteTag(NamespaceOperation[TagDefinition], DataCall[TagDefinition]):
    """Delete a tag and return it; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "delete_metadef_tag"
    internal: ClassVar[bool] = False
    tag_name: str = ""


OPERATIONS: tuple[type[Operation[object]], ...] = (
    GetProperties,
    AddProperty,
    DeleteProperties,
    GetProperty,
    ModifyProperty,
    RemoveProperty,
    GetObjects,
    AddObject,
    DeleteObjects,
    GetObject,
    ModifyObject,
    DeleteObject,
    GetTags,
    AddTags,
    DeleteTags,
    AddTag,
    GetTag,
    ModifyTag,
    DeleteTag,
)
