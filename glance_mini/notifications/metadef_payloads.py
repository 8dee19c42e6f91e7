"""The payloads of notifications about metadata definitions (api-notifications)."""

from datetime import datetime

from glance_mini.domain.metadefs import (
    Association,
    Definition,
    Namespace,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.notifications.payloads import Payload, shown_time

_DEFINITION_KEYS = (
    *("type", "title", "description", "default", "minimum", "maximum", "enum", "pattern", "minLength", "maxLength"),
    *("confidential", "items", "uniqueItems", "minItems", "maxItems", "additionalItems"),
)


def namespace_payload(namespace: Namespace, old: str | None = None) -> Payload:
    """Return the payload of a ``metadef_namespace.*`` event; ``old`` is its name before, as in all functions here."""
    return {
        "namespace": namespace.name,
        "namespace_old": old or namespace.name,
        "display_name": namespace.display_name,
        "protected": namespace.protected,
        "visibility": namespace.visibility,
        "owner": namespace.owner,
        "description": namespace.description,
        **_times(namespace.created_at, namespace.updated_at),
        **_deleted(namespace.deleted_at),
    }


def object_payload(namespace: str, each: ObjectDefinition, old: str | None = None) -> Payload:
    """Return the payload of a ``metadef_object.*`` event."""
    properties = [{"name": name, **_definition(definition)} for name, definition in each.properties.items()]
    return {
        **_named(namespace, each.name, old),
        "properties": properties,
        "required": list(each.required),
        "description": each.description,
        **_times(each.created_at, each.updated_at),
        **_deleted(each.deleted_at),
    }


def property_payload(namespace: str, each: PropertyDefinition, old: str | None = None) -> Payload:
    """Return the payload of a ``metadef_property.*`` event."""
    return {**_named(namespace, each.name, old), **_definition(each.definition), **_deleted(each.deleted_at)}


def association_payload(namespace: str, each: Association, old: str | None = None) -> Payload:
    """Return the payload of a ``metadef_resource_type.*`` event."""
    return {
        **_named(namespace, each.name, old),
        "prefix": each.prefix,
        "properties_target": each.properties_target,
        **_times(each.created_at, each.updated_at),
        **_deleted(each.deleted_at),
    }


def tag_payload(namespace: str, each: TagDefinition, old: str | None = None) -> Payload:
    """Return the payload of a ``metadef_tag.*`` event."""
    return {
        **_named(namespace, each.name, old),
        **_times(each.created_at, each.updated_at),
        **_deleted(each.deleted_at),
    }


def _named(namespace: str, name: str, old: str | None) -> Payload:
    return {"namespace": namespace, "name": name, "name_old": old or name}


def _definition(definition: Definition) -> Payload:
    return {key: definition.get(key) for key in _DEFINITION_KEYS}


def _times(created_at: datetime | None, updated_at: datetime | None) -> Payload:
    return {"created_at": shown_time(created_at), "updated_at": shown_time(updated_at)}


def _deleted(deleted_at: datetime | None) -> Payload:
    return {"deleted": deleted_at is not None, "deleted_at": shown_time(deleted_at)}
