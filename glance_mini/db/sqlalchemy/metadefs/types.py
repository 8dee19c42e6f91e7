"""Resource types, and their associations with namespaces (api-metadefs-types)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from glance_mini.db.sqlalchemy.models import metadef_resource_types
from glance_mini.domain.metadefs import MetadefLimits, ResourceType
from glance_mini.operations.metadefs import ListResourceTypes

_COLUMNS = metadef_resource_types.c


def list_types(connection: Connection, call: ListResourceTypes) -> tuple[ResourceType, ...]:
    """Return all resource types, by name."""
    rows = connection.execute(select(metadef_resource_types).order_by(_COLUMNS.name))
    return tuple(ResourceType(*row) for row in rows)


def add_types(connection: Connection, names: Sequence[str], bounds: MetadefLimits, now: datetime) -> None:
    """Insert the types that do not exist yet, in a transaction that holds the lock; raises LimitExceeded."""
    if not names:
        return
    known = set(connection.execute(select(_COLUMNS.name).where(_COLUMNS.name.in_(names))).scalars())
    new = [name for name in dict.fromkeys(names) if name not in known]
    if not new:
        return
    number = connection.execute(select(func.count()).select_from(metadef_resource_types)).scalar_one()
    bounds.check("resource_types", number + len(new))
    connection.execute(
        insert(metadef_resource_types), [{"name": name, "created_at": now, "updated_at": now} for name in new]
    )


QUERIES = {ListResourceTypes: list_types}
