"""The ten schemas of metadata definitions: namespaces and what they contain (api-schemas, api-metadefs)."""

from glance_mini.api.v2.schemas.shapes import ObjectSchema, Schema, collection, full

MAX_NAME = 80
MAX_DESCRIPTION = 500

_SHOWN = {"type": "string", "readOnly": True}
_TIMES = {
    "created_at": {**_SHOWN, "format": "date-time", "description": "When it was made."},
    "updated_at": {**_SHOWN, "format": "date-time", "description": "When it last changed."},
}
_NAME = {"type": "string", "maxLength": MAX_NAME}
_TYPES = ("array", "boolean", "integer", "number", "object", "string", "null")

_COUNTS: dict[str, Schema] = {
    "positiveInteger": {"type": "integer", "minimum": 0},
    "positiveIntegerDefault0": {"allOf": [{"$ref": "#/definitions/positiveInteger"}, {"default": 0}]},
}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}


def namespace_schema() -> ObjectSchema:
    """Return the schema of a namespace with all that may be created together with it."""
    properties: dict[str, Schema] = {
        "namespace": {**_NAME, "description": "The unique name of the namespace."},
        "display_name": {**_NAME, "description": "A name for people."},
        "description": {"type": "string", "maxLength": MAX_DESCRIPTION, "description": "What it is about."},
        "visibility": {"type": "string", "enum": ["public", "private"], "description": "Who may see it."},
        "protected": {"type": "boolean", "description": "Whether it is protected from deletion."},
        "owner": {"type": "string", "maxLength": 255, "description": "The project it belongs to."},
        "self": _SHOWN,
        "schema": _SHOWN,
        **_TIMES,
        "resource_type_associations": {"type": "array", "items": _named(_association())},
        "properties": {"$ref": "#/definitions/property"},
        "objects": {"type": "array", "items": _named(_object())},
        "tags": {"type": "array", "items": _named(_tag())},
    }
    return full("namespace", properties, required=["namespace"], definitions=_definitions())


def namespaces_schema() -> ObjectSchema:
    """Return the schema of a page of namespaces."""
    return _collection("namespaces", namespace_schema())


def resource_type_schema() -> ObjectSchema:
    """Return the schema of the association of a resource type with a namespace."""
    return full("resource_type_association", _association(), required=["name"])


def resource_types_schema() -> ObjectSchema:
    """Return the schema of the associations of a namespace."""
    return _collection("resource_type_associations", resource_type_schema())


def property_schema() -> ObjectSchema:
    """Return the schema of one property definition."""
    properties = {"name": _NAME, **_property()}
    definitions = {**_COUNTS, "stringArray": {**_TEXTS, "minItems": 1}}
    return full("property", properties, required=["type", "title", "name"], definitions=definitions)


def properties_schema() -> ObjectSchema:
    """Return the schema of the property definitions of a namespace, an object keyed by name."""
    item = full("property", _property(), required=["type", "title"])
    schema = collection("properties", item)
    schema["properties"]["properties"] = {"type": "object", "additionalProperties": item}
    schema["definitions"] = _definitions()
    return schema


def object_schema() -> ObjectSchema:
    """Return the schema of one object definition."""
    return full("object", _object(), required=["name"], definitions=_definitions())


def objects_schema() -> ObjectSchema:
    """Return the schema of the object definitions of a namespace."""
    return _collection("objects", object_schema())


def tag_schema() -> ObjectSchema:
    """Return the schema of one tag definition."""
    return full("tag", _tag(), required=["name"])


def tags_schema() -> ObjectSchema:
    """Return the schema of the tag definitions of a namespace."""
    return _collection("tags", tag_schema())


def new_tags_schema() -> ObjectSchema:
    """Return the schema of tags that are added together."""
    items = {"type": "array", "items": {**_named(_tag()), "additionalProperties": False}}
    return full("tags", {"tags": items}, required=["tags"])


def _collection(name: str, item: ObjectSchema) -> ObjectSchema:
    """Return a collection with the definitions at its top level, where the references in the items point to."""
    definitions = item.pop("definitions", None)
    schema = collection(name, item)
    if definitions:
        schema["definitions"] = definitions
    return schema


def _definitions() -> dict[str, Schema]:
    each = {"type": "object", "required": ["title", "type"], "properties": _property()}
    return {
        **_COUNTS,
        "stringArray": _TEXTS,
        "property": {"type": "object", "additionalProperties": each},
    }


def _named(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object that must have a name."""
    return {"type": "object", "required": ["name"], "properties": properties}


def _association() -> dict[str, Schema]:
    return {
        "name": {**_NAME, "description": "The resource type, by the name that its service gives it."},
        "prefix": {**_NAME, "description": "The prefix of property names on that type."},
        "properties_target": {**_NAME, "description": "The property list that is meant, if that type has several."},
        **_TIMES,
    }


def _object() -> dict[str, Schema]:
    return {
        "name": {"type": "string", "maxLength": MAX_NAME},
        "description": {"type": "string"},
        "required": {"$ref": "#/definitions/stringArray"},
        "properties": {"$ref": "#/definitions/property"},
        "self": _SHOWN,
        "schema": _SHOWN,
        **_TIMES,
    }


def _tag() -> dict[str, Schema]:
    return {"name": _NAME, **_TIMES}


def _property() -> dict[str, Schema]:
    count = {"$ref": "#/definitions/positiveInteger"}
    count_from_0 = {"$ref": "#/definitions/positiveIntegerDefault0"}
    return {
        "title": {"type": "string"},
        "description": {"type": "string"},
        "operators": {"type": "array", "items": {"type": "string"}},
        "type": {"type": "string", "enum": list(_TYPES)},
        "required": {"$ref": "#/definitions/stringArray"},
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "maxLength": count,
        "minLength": count_from_0,
        "pattern": {"type": "string", "format": "regex"},
        "enum": {"type": "array"},
        "readonly": {"type": "boolean"},
        "default": {},
        "items": {
            "type": "object",
            "properties": {"type": {"type": "string", "enum": list(_TYPES)}, "enum": {"type": "array"}},
        },
        "maxItems": count,
        "minItems": count_from_0,
        "uniqueItems": {"type": "boolean", "default": False},
        "additionalItems": {"type": "boolean"},
    }
