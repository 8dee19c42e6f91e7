"""The objects of namespaces (api-metadefs-objects)."""

from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy.metadefs import namespaces
from glance_mini.db.sqlalchemy.metadefs.rows import OBJECTS
from glance_mini.domain.metadefs import Namespace, ObjectDefinition, ObjectPage
from glance_mini.operations.metadef_parts import (
    AddObject,
    DeleteObject,
    DeleteObjects,
    GetObject,
    GetObjects,
    ModifyObject,
)


def list_objects(connection: Connection, call: GetObjects) -> ObjectPage:
    """Return a page of the objects; raises NotFound."""
    return ObjectPage(*OBJECTS.page(connection, namespaces.find(connection, call).id, call.query))


def get(connection: Connection, call: GetObject) -> ObjectDefinition:
    """Return an object; raises NotFound."""
    return OBJECTS.get(connection, namespaces.find(connection, call).id, call.object_name)


def add(connection: Connection, call: AddObject, now: datetime) -> ObjectDefinition:
    """Insert an object and return it; raises Duplicate, NotFound, LimitExceeded."""
    (added,) = OBJECTS.add(connection, namespaces.lock(connection, call), [call.new], call.bounds, now)
    return added


def modify(connection: Connection, call: ModifyObject, now: datetime) -> ObjectDefinition:
    """Replace an object and return it; raises NotFound, Duplicate, LimitExceeded."""
    namespace = namespaces.lock(connection, call)
    return OBJECTS.replace(connection, namespace, call.object_name, call.new, call.bounds, now)


def remove(connection: Connection, call: DeleteObject, now: datetime) -> ObjectDefinition:
    """Delete an object and return it; raises NotFound, Forbidden (protected)."""
    return OBJECTS.remove(connection, namespaces.lock(connection, call), call.object_name, now)


def clear(connection: Connection, call: DeleteObjects, now: datetime) -> Namespace:
    """Delete all objects and return the namespace; raises NotFound, Forbidden (protected)."""
    namespace = namespaces.lock(connection, call)
    OBJECTS.clear(connection, namespace)
    return namespace


QUERIES = {GetObjects: list_objects, GetObject: get}
WRITES = {AddObject: add, ModifyObject: modify, DeleteObject: remove, DeleteObjects: clear}
