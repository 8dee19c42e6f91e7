"""Metadata definitions as clients see them (api-metadefs). What is absent is left out; times are datetimes."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from glance_mini.domain.metadefs import (
    Association,
    NamespaceContent,
    NamespacePage,
    ObjectDefinition,
    ObjectPage,
    PropertyDefinition,
    PropertyPage,
    ResourceType,
    TagDefinition,
    TagPage,
)

View = dict[str, object]
Parameters = Iterable[tuple[str, str]]

NAMESPACES = "/v2/metadefs/namespaces"


def path_of(namespace: str) -> str:
    """Return the path of a namespace, escaped."""
    return f"{NAMESPACES}/{quote(namespace, safe=':')}"


def namespace(content: NamespaceContent, prefix: str = "") -> View:
    """Return the view of a namespace; ``prefix`` precedes the names of its properties."""
    each = content.namespace
    view = _present(
        **each.attributes(),
        created_at=each.created_at,
        updated_at=each.updated_at,
        self=path_of(each.name),
        schema="/v2/schemas/metadefs/namespace",
    )
    view["resource_type_associations"] = [association(one) for one in content.associations]
    if content.properties:
        view["properties"] = _properties(content.properties, prefix)
    if content.objects:
        view["objects"] = [object_definition(each.name, one, prefix) for one in content.objects]
    if content.tags:
        view["tags"] = [{"name": tag.name} for tag in content.tags]
    return view


def namespaces(page: NamespacePage, parameters: Parameters) -> View:
    """Return the view of a page; ``parameters`` are those of the request, for the links, as in all pages here."""
    shown = [namespace(each) for each in page.namespaces]
    return _page(NAMESPACES, "namespaces", shown, page.next_marker, parameters)


def resource_types(types: Iterable[ResourceType]) -> View:
    """Return the view of all resource types."""
    shown = [{"name": each.name, "created_at": each.created_at, "updated_at": each.updated_at} for each in types]
    return {"resource_types": shown}


def association(each: Association) -> View:
    """Return the view of an association."""
    return _present(
        name=each.name,
        prefix=each.prefix,
        properties_target=each.properties_target,
        created_at=each.created_at,
        updated_at=each.updated_at,
    )


def associations(found: Iterable[Association]) -> View:
    """Return the view of the associations of a namespace."""
    return {"resource_type_associations": [association(each) for each in found]}


def property_definition(each: PropertyDefinition) -> View:
    """Return the view of a property."""
    return {"name": each.name, **each.definition}


def properties(namespace: str, page: PropertyPage, parameters: Parameters) -> View:
    """Return the view of a page of properties, an object by name."""
    path = f"{path_of(namespace)}/properties"
    return _page(path, "properties", _properties(page.properties), page.next_marker, parameters)


def object_definition(namespace: str, each: ObjectDefinition, prefix: str = "") -> View:
    """Return the view of an object; ``prefix`` precedes the names of its properties."""
    view = _present(
        name=each.name,
        description=each.description,
        created_at=each.created_at,
        updated_at=each.updated_at,
        self=f"{path_of(namespace)}/objects/{quote(each.name, safe=':')}",
        schema="/v2/schemas/metadefs/object",
    )
    view["required"] = [f"{prefix}{name}" for name in each.required]
    view["properties"] = {f"{prefix}{name}": definition for name, definition in each.properties.items()}
    return view


def objects(namespace: str, page: ObjectPage, parameters: Parameters) -> View:
    """Return the view of a page of objects; its link to the schema is a relative one (api-quirks)."""
    shown = [object_definition(namespace, each) for each in page.objects]
    view = _page(f"{path_of(namespace)}/objects", "objects", shown, page.next_marker, parameters)
    return {**view, "schema": "v2/schemas/metadefs/objects"}


def tag(each: TagDefinition) -> View:
    """Return the view of a tag."""
    return {"name": each.name, "created_at": each.created_at, "updated_at": each.updated_at}


def tags(namespace: str, page: TagPage, parameters: Parameters) -> View:
    """Return the view of a page of tags."""
    shown = [{"name": each.name} for each in page.tags]
    return _page(f"{path_of(namespace)}/tags", "tags", shown, page.next_marker, parameters)


def new_tags(found: Iterable[TagDefinition]) -> View:
    """Return the view of tags that were added together."""
    return {"tags": [{"name": each.name} for each in found]}


def _properties(found: Iterable[PropertyDefinition], prefix: str = "") -> Mapping[str, object]:
    return {f"{prefix}{each.name}": each.definition for each in found}


def _present(**fields: object) -> View:
    return {name: value for name, value in fields.items() if value is not None}


def _page(path: str, name: str, shown: object, next_marker: str | None, parameters: Parameters) -> View:
    kept = [(key, value) for key, value in parameters if key != "marker"]
    view: View = {name: shown, "first": _link(path, kept), "schema": f"/v2/schemas/metadefs/{name}"}
    if next_marker is not None:
        view["next"] = _link(path, [*kept, ("marker", next_marker)])
    return view


def _link(path: str, parameters: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
