"""The properties of namespaces (api-metadefs-properties)."""

from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy.metadefs import namespaces
from glance_mini.db.sqlalchemy.metadefs.rows import ASSOCIATIONS, PROPERTIES
from glance_mini.domain import errors
from glance_mini.domain.metadefs import Namespace, PropertyDefinition, PropertyPage
from glance_mini.operations.metadef_parts import (
    AddProperty,
    DeleteProperties,
    GetProperties,
    GetProperty,
    ModifyProperty,
    RemoveProperty,
)


def list_properties(connection: Connection, call: GetProperties) -> PropertyPage:
    """Return a page of the properties; raises NotFound."""
    return PropertyPage(*PROPERTIES.page(connection, namespaces.find(connection, call).id, call.query))


def get(connection: Connection, call: GetProperty) -> PropertyDefinition:
    """Return a property; raises NotFound, also if its name lacks the prefix of ``resource_type``."""
    namespace_id, name = namespaces.find(connection, call).id, call.property_name
    if call.resource_type is not None:
        prefix = ASSOCIATIONS.get(connection, namespace_id, call.resource_type).prefix or ""
        if not name.startswith(prefix):
            raise errors.NotFound(kind="property", id=name)
        name = name.removeprefix(prefix)
    return PROPERTIES.get(connection, namespace_id, name)


def add(connection: Connection, call: AddProperty, now: datetime) -> PropertyDefinition:
    """Insert a property and return it; raises Duplicate, NotFound, LimitExceeded."""
    (added,) = PROPERTIES.add(connection, namespaces.lock(connection, call), [call.new], call.bounds, now)
    return added


def modify(connection: Connection, call: ModifyProperty, now: datetime) -> PropertyDefinition:
    """Replace a property and return it; raises NotFound, Duplicate, LimitExceeded."""
    namespace = namespaces.lock(connection, call)
    return PROPERTIES.replace(connection, namespace, call.property_name, call.new, call.bounds, now)


def remove(connection: Connection, call: RemoveProperty, now: datetime) -> PropertyDefinition:
    """Delete a property and return it; raises NotFound, Forbidden (protected)."""
    return PROPERTIES.remove(connection, namespaces.lock(connection, call), call.property_name, now)


def clear(connection: Connection, call: DeleteProperties, now: datetime) -> Namespace:
    """Delete all properties and return the namespace; raises NotFound, Forbidden (protected)."""
    namespace = namespaces.lock(connection, call)
    PROPERTIES.clear(connection, namespace)
    return namespace


QUERIES = {GetProperties: list_properties, GetProperty: get}
WRITES = {AddProperty: add, ModifyProperty: modify, RemoveProperty: remove, DeleteProperties: clear}
