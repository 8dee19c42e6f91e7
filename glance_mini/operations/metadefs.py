"""Operations on namespaces of metadata definitions and on resource types; those on their parts are in other modules.

The names of operations are those of their policy rules wherever a rule guards one operation.
"""

from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from glance_mini.domain.metadefs import (
    NO_METADEF_LIMITS,
    Association,
    MetadefLimits,
    Namespace,
    NamespaceContent,
    NamespacePage,
    NamespaceQuery,
    ResourceType,
)
from glance_mini.domain.query import EVERYTHING, Scope
from glance_mini.operations.base import DataCall, DataQuery, NamespaceOperation, Operation

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class LoadNamespace(DataQuery[Namespace]):
    """Return the namespace with that name, without its parts; raises NotFound if ``scope`` may not see it."""

    name: ClassVar[str] = "load_metadef_namespace"
    namespace: str
    scope: Scope = EVERYTHING


@dataclass(frozen=True)
class GetNamespaces(DataQuery[NamespacePage]):
    """Return a page of the namespaces within ``scope``, with their associations.

    Raises NotFound if the marker is not a namespace that ``scope`` may see.
    """

    name: ClassVar[str] = "get_metadef_namespaces"
    internal: ClassVar[bool] = False
    query: NamespaceQuery = field(default_factory=NamespaceQuery)
    scope: Scope = EVERYTHING


@dataclass(frozen=True)
class AddNamespace(DataCall[NamespaceContent]):
    """Create a namespace with all its parts, or nothing, and return it.

    Raises Duplicate if the name is taken or two parts of a kind have one name, LimitExceeded.
    """

    name: ClassVar[str] = "add_metadef_namespace"
    internal: ClassVar[bool] = False
    content: NamespaceContent
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class GetNamespace(NamespaceOperation[NamespaceContent], DataQuery[NamespaceContent]):
    """Return the namespace with all its parts; raises NotFound."""

    name: ClassVar[str] = "get_metadef_namespace"
    internal: ClassVar[bool] = False


@dataclass(frozen=True)
class ModifyNamespace(NamespaceOperation[NamespaceContent], DataCall[NamespaceContent]):
    """Replace the fields of the namespace itself by those of ``new``, its name included, and return it.

    The result has no properties, objects and tags. Raises NotFound, Duplicate (the new name is taken).
    """

    name: ClassVar[str] = "modify_metadef_namespace"
    internal: ClassVar[bool] = False
    new: Namespace = field(default_factory=lambda: Namespace(""))
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class DeleteNamespace(NamespaceOperation[Namespace], DataCall[Namespace]):
    """Delete the namespace with all its parts and return it; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "delete_metadef_namespace"
    internal: ClassVar[bool] = False


@dataclass(frozen=True)
class ListResourceTypes(DataQuery[tuple[ResourceType, ...]]):
    """Return all resource types that were ever associated, by name."""

    name: ClassVar[str] = "list_metadef_resource_types"
    internal: ClassVar[bool] = False


@dataclass(frozen=True)
class ListAssociations(NamespaceOperation[tuple[Association, ...]], DataQuery[tuple[Association, ...]]):
    """Return the associations of the namespace with resource types, by name."""

    name: ClassVar[str] = "list_metadef_associations"
    internal: ClassVar[bool] = False


@dataclass(frozen=True)
class AddAssociation(NamespaceOperation[Association], DataCall[Association]):
    """Associate a resource type with the namespace and return the association; an unknown type is created.

    Raises Duplicate, NotFound (the namespace), LimitExceeded.
    """

    name: ClassVar[str] = "add_metadef_resource_type_association"
    internal: ClassVar[bool] = False
    new: Association = field(default_factory=lambda: Association(""))
    bounds: MetadefLimits = NO_METADEF_LIMITS


@dataclass(frozen=True)
class RemoveAssociation(NamespaceOperation[Association], DataCall[Association]):
    """End the association with a resource type and return it; raises NotFound, Forbidden (protected)."""

    name: ClassVar[str] = "remove_metadef_resource_type_association"
    internal: ClassVar[bool] = False
    resource_type: str = ""


OPERATIONS: tuple[type[Operation[object]], ...] = (
    LoadNamespace,
    GetNamespaces,
    AddNamespace,
    GetNamespace,
    ModifyNamespace,
    DeleteNamespace,
    ListResourceTypes,
    ListAssociations,
    AddAssociation,
    RemoveAssociation,
)
