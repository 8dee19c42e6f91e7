"""What the OpenAPI document says of the calls on metadata definitions."""

from collections.abc import Mapping
from typing import NamedTuple

from glance_mini.api.v2.image_query import DIRECTIONS
from glance_mini.api.v2.schemas.shapes import ObjectSchema, Schema
from glance_mini.domain.metadefs import NAMESPACE_SORT_KEYS, TAG_SORT_KEYS, VISIBILITIES

_READ_ONLY = ("self", "schema", "created_at", "updated_at")


class Call(NamedTuple):
    """A call: its summary, its status, the components of its answer and of its body, and parameters of its query."""

    summary: str
    status: int = 200
    answer: str | None = None
    body: str | None = None
    query: Mapping[str, Schema] = {}


_TEXT: Schema = {"type": "string"}
_PAGE: Mapping[str, Schema] = {"limit": {"type": "integer", "minimum": 0}, "marker": _TEXT}
_OF_TYPE: Mapping[str, Schema] = {"resource_type": _TEXT}


def _one_of(values: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(values)}


def _sorted(keys: tuple[str, ...]) -> Mapping[str, Schema]:
    return {**_PAGE, "sort_key": _one_of(keys), "sort_dir": _one_of(DIRECTIONS)}


CALLS: Mapping[str, Call] = {
    "get_metadef_namespaces": Call(
        "Namespaces",
        answer="Anything",
        query={**_sorted(NAMESPACE_SORT_KEYS), "visibility": _one_of(VISIBILITIES), "resource_types": _TEXT},
    ),
    "add_metadef_namespace": Call("Create a namespace", 201, "Namespace", "NewNamespace"),
    "get_metadef_namespace": Call("A namespace", answer="Namespace", query=_OF_TYPE),
    "modify_metadef_namespace": Call("Replace a namespace", 200, "Namespace", "NewNamespace"),
    "delete_metadef_namespace": Call("Delete a namespace", 204),
    "list_metadef_resource_types": Call("The resource types", answer="Anything"),
    "list_metadef_associations": Call("The resource types of a namespace", answer="Anything"),
    "add_metadef_resource_type_association": Call("Associate a resource type", 201, "Anything", "NewAssociation"),
    "remove_metadef_resource_type_association": Call("End an association", 204),
    "get_metadef_properties": Call("The properties of a namespace", answer="Anything", query=_PAGE),
    "add_metadef_property": Call("Add a property", 201, "Anything", "NewProperty"),
    "delete_metadef_properties": Call("Delete all properties", 204),
    "get_metadef_property": Call("A property", answer="Anything", query=_OF_TYPE),
    "modify_metadef_property": Call("Replace a property", 200, "Anything", "NewProperty"),
    "remove_metadef_property": Call("Delete a property", 204),
    "get_metadef_objects": Call("The objects of a namespace", answer="Anything", query=_PAGE),
    "add_metadef_object": Call("Add an object", 201, "Anything", "NewObject"),
    "delete_metadef_objects": Call("Delete all objects", 204),
    "get_metadef_object": Call("An object", answer="Anything"),
    "modify_metadef_object": Call("Replace an object", 200, "Anything", "NewObject"),
    "delete_metadef_object": Call("Delete an object", 204),
    "get_metadef_tags": Call("The tags of a namespace", answer="Anything", query=_sorted(TAG_SORT_KEYS)),
    "add_metadef_tags": Call("Replace the tags or add to them", 201, "Anything", "NewTags"),
    "delete_metadef_tags": Call("Delete all tags", 204),
    "add_metadef_tag": Call("Add a tag", 201, "Anything"),
    "get_metadef_tag": Call("A tag", answer="Anything"),
    "modify_metadef_tag": Call("Rename a tag", 200, "Anything", "NewTag"),
    "delete_metadef_tag": Call("Delete a tag", 204),
}
"""The calls by the names of their actions."""


def components(schemas: Mapping[str, ObjectSchema]) -> dict[str, Schema]:
    """Return the schemas that ``CALLS`` name; ``schemas`` are all schemas by name."""
    bodies = {
        "NewNamespace": "namespace",
        "NewAssociation": "resource_type",
        "NewProperty": "property",
        "NewObject": "object",
        "NewTag": "tag",
    }
    found: dict[str, Schema] = {name: _body(name, schemas[f"metadefs/{kind}"]) for name, kind in bodies.items()}
    tag = {"type": "object", "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 80}}}
    tags = {"type": "array", "items": {**tag, "required": ["name"]}}
    found["NewTags"] = {"type": "object", "properties": {"tags": tags}, "required": ["tags"]}
    found["Anything"] = {"type": "object"}
    found["Namespace"] = {"type": "object", "properties": {"namespace": _TEXT}, "required": ["namespace"]}
    return found


def _body(component: str, schema: ObjectSchema) -> Schema:
    """Return the schema of a body: without what only the service sets, with references from the whole document."""
    kept = {name: value for name, value in schema["properties"].items() if name not in _READ_ONLY}
    whole = {**{key: value for key, value in schema.items() if key not in ("name", "links")}, "properties": kept}
    return {"type": "object", **_moved(whole, f"#/components/schemas/{component}/definitions/")}


def _moved(schema: Mapping[str, object], root: str) -> dict[str, object]:
    """Return ``schema`` with its references to ``#/definitions/`` moved to ``root``."""
    return {name: _moved_value(name, value, root) for name, value in schema.items()}


def _moved_value(name: str, value: object, root: str) -> object:
    if name == "$ref" and isinstance(value, str):
        return value.replace("#/definitions/", root)
    if isinstance(value, Mapping):
        return _moved(value, root)
    if isinstance(value, list | tuple):
        return [_moved_value("", each, root) for each in value]
    return value
