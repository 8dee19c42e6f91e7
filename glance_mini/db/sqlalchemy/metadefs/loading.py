"""The loading and removal of whole namespaces by an operator (operator-metadefs)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, delete, select, update

from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.metadefs.namespaces import insert_content, read
from glance_mini.db.sqlalchemy.metadefs.parts import Parts
from glance_mini.db.sqlalchemy.metadefs.rows import ASSOCIATIONS, OBJECTS, PROPERTIES, TAGS, to_namespace
from glance_mini.db.sqlalchemy.metadefs.types import add_types
from glance_mini.db.sqlalchemy.models import metadef_namespaces
from glance_mini.domain.metadefs import (
    NO_METADEF_LIMITS,
    Association,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.operations.metadef_loading import (
    ADDED,
    CHANGED,
    KEEP,
    KEPT,
    OVERWRITE,
    PREFER_NEW,
    RemoveNamespaces,
    WriteNamespaces,
)

P = TypeVar("P", Association, ObjectDefinition, PropertyDefinition, TagDefinition)

_COLUMNS = metadef_namespaces.c


def write(connection: Connection, call: WriteNamespaces, now: datetime) -> tuple[str, ...]:
    """Write the namespaces and return what has become of each; raises Duplicate."""
    locks.wait(connection, locks.CHANGE_METADEFS)
    return tuple(_write(connection, content, call.mode, now) for content in call.contents)


def remove(connection: Connection, call: RemoveNamespaces, now: datetime) -> int:
    """Delete all namespaces with their parts and return their number."""
    locks.wait(connection, locks.CHANGE_METADEFS)
    return connection.execute(delete(metadef_namespaces)).rowcount


def _write(connection: Connection, content: NamespaceContent, mode: str, now: datetime) -> str:
    row = connection.execute(select(metadef_namespaces).where(_COLUMNS.namespace == content.namespace.name)).first()
    if row is None:
        insert_content(connection, content, NO_METADEF_LIMITS, now)
        return ADDED
    if mode == KEEP:
        return KEPT
    if mode == OVERWRITE:
        connection.execute(delete(metadef_namespaces).where(_COLUMNS.id == row.id))
        insert_content(connection, content, NO_METADEF_LIMITS, now)
        return CHANGED
    return CHANGED if _merge(connection, to_namespace(row), content, mode == PREFER_NEW, now) else KEPT


def _merge(
    connection: Connection, namespace: Namespace, new: NamespaceContent, prefers_new: bool, now: datetime
) -> bool:
    """Add parts to ``namespace``, and replace what differs if ``prefers_new``; return whether anything changed."""
    stored = read(connection, namespace)
    add_types(connection, [each.name for each in new.associations], NO_METADEF_LIMITS, now)

    def merge(parts: Parts[P], old: Sequence[P], given: Sequence[P]) -> bool:
        known = {part.name: parts.to_values(part) for part in old}
        missing = [part for part in given if part.name not in known]
        parts.add(connection, namespace, missing, NO_METADEF_LIMITS, now)
        if not prefers_new:
            return bool(missing)
        differing = [part for part in given if part.name in known and known[part.name] != parts.to_values(part)]
        for part in differing:
            parts.replace(connection, namespace, part.name, part, NO_METADEF_LIMITS, now)
        return bool(missing or differing)

    changed = [
        merge(ASSOCIATIONS, stored.associations, new.associations),
        merge(PROPERTIES, stored.properties, new.properties),
        merge(OBJECTS, stored.objects, new.objects),
        merge(TAGS, stored.tags, new.tags),
        prefers_new and namespace.attributes() != replace(new.namespace, owner=namespace.owner).attributes(),
    ]
    if any(changed):
        fields = replace(new.namespace, owner=namespace.owner).attributes() if prefers_new else {}
        statement = update(metadef_namespaces).where(_COLUMNS.id == namespace.id)
        connection.execute(statement.values(**fields, updated_at=now))
    return any(changed)


WRITES = {WriteNamespaces: write, RemoveNamespaces: remove}
