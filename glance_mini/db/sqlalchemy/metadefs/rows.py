"""The tables of the parts of a namespace, and the conversion of their rows to domain values."""

import orjson

from glance_mini.db.sqlalchemy.dynamic import AnyRow
from glance_mini.db.sqlalchemy.metadefs.parts import Parts
from glance_mini.db.sqlalchemy.models import (
    metadef_namespace_resource_types,
    metadef_objects,
    metadef_properties,
    metadef_tags,
)
from glance_mini.domain.metadefs import Association, Namespace, ObjectDefinition, PropertyDefinition, TagDefinition


def to_namespace(row: AnyRow) -> Namespace:
    """Return the namespace of a row of ``metadef_namespaces``."""
    return Namespace(
        row.namespace,
        row.display_name,
        row.description,
        row.visibility,
        row.protected,
        row.owner,
        row.created_at,
        row.updated_at,
        id=row.id,
    )


def to_association(row: AnyRow) -> Association:
    """Return the association of a row."""
    return Association(row.name, row.prefix, row.properties_target, row.created_at, row.updated_at)


def to_property(row: AnyRow) -> PropertyDefinition:
    """Return the property of a row."""
    return PropertyDefinition(row.name, orjson.loads(row.definition), row.created_at, row.updated_at)


def to_object(row: AnyRow) -> ObjectDefinition:
    """Return the object of a row."""
    stored = orjson.loads(row.definition)
    return ObjectDefinition(
        row.name,
        stored.get("description"),
        tuple(stored.get("required", ())),
        stored.get("properties", {}),
        row.created_at,
        row.updated_at,
    )


def to_tag(row: AnyRow) -> TagDefinition:
    """Return the tag of a row."""
    return TagDefinition(row.name, row.created_at, row.updated_at)


def _object_values(each: ObjectDefinition) -> dict[str, object]:
    definition = {"description": each.description, "required": each.required, "properties": each.properties}
    return {"definition": _json({name: value for name, value in definition.items() if value})}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


ASSOCIATIONS = Parts[Association](
    metadef_namespace_resource_types,
    "resource type association",
    "associations",
    to_association,
    lambda each: {"prefix": each.prefix, "properties_target": each.properties_target},
)
PROPERTIES = Parts[PropertyDefinition](
    metadef_properties, "property", "properties", to_property, lambda each: {"definition": _json(each.definition)}
)
OBJECTS = Parts[ObjectDefinition](metadef_objects, "object", "objects", to_object, _object_values)
TAGS = Parts[TagDefinition](metadef_tags, "tag", "tags", to_tag, lambda each: {})
