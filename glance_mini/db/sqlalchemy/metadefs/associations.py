"""The associations of namespaces with resource types (api-metadefs-types)."""

from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy.metadefs import namespaces
from glance_mini.db.sqlalchemy.metadefs.rows import ASSOCIATIONS
from glance_mini.db.sqlalchemy.metadefs.types import add_types
from glance_mini.domain.metadefs import Association
from glance_mini.operations.metadefs import AddAssociation, ListAssociations, RemoveAssociation


def list_associations(connection: Connection, call: ListAssociations) -> tuple[Association, ...]:
    """Return the associations of the namespace, by name."""
    return ASSOCIATIONS.all(connection, namespaces.find(connection, call).id)


def add(connection: Connection, call: AddAssociation, now: datetime) -> Association:
    """Insert an association, and its type if it is unknown; raises Duplicate, NotFound, LimitExceeded."""
    namespace = namespaces.lock(connection, call)
    (added,) = ASSOCIATIONS.add(connection, namespace, [call.new], call.bounds, now)
    add_types(connection, [call.new.name], call.bounds, now)
    return added


def remove(connection: Connection, call: RemoveAssociation, now: datetime) -> Association:
    """Delete an association and return it; raises NotFound, Forbidden (protected)."""
    return ASSOCIATIONS.remove(connection, namespaces.lock(connection, call), call.resource_type, now)


QUERIES = {ListAssociations: list_associations}
WRITES = {AddAssociation: add, RemoveAssociation: remove}
