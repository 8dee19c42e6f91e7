"""Stores whole namespaces that come from another image service, with their times."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert

from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.metadefs import namespaces
from glance_mini.db.sqlalchemy.metadefs.parts import P, Parts
from glance_mini.db.sqlalchemy.metadefs.rows import ASSOCIATIONS, OBJECTS, PROPERTIES, TAGS
from glance_mini.db.sqlalchemy.metadefs.types import add_types
from glance_mini.db.sqlalchemy.models import metadef_namespaces
from glance_mini.domain import errors
from glance_mini.domain.metadefs import (
    NO_METADEF_LIMITS,
    Association,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.domain.migration import TakenOver
from glance_mini.operations.metadefs import LoadNamespace
from glance_mini.operations.migration import TakeOverNamespaces

_Part = Association | ObjectDefinition | PropertyDefinition | TagDefinition


def take_over(connection: Connection, call: TakeOverNamespaces, now: datetime) -> TakenOver:
    """Store the namespaces of ``call`` that are new or differ; return what was done."""
    locks.wait(connection, locks.CHANGE_METADEFS)
    added, changed, unchanged = 0, 0, 0
    kept = []
    if not call.is_rehearsal:
        add_types(connection, call.resource_types, NO_METADEF_LIMITS, now)
    for content in call.namespaces:
        own = _find(connection, content.namespace.name)
        if own is not None and _plain(own) == _plain(content):
            unchanged += 1
        elif own is not None and _is_changed_here(own, content):
            kept.append(content.namespace.name)
        else:
            added, changed = (added + 1, changed) if own is None else (added, changed + 1)
            if not call.is_rehearsal:
                _replace(connection, own, content)
    return TakenOver(added, changed, unchanged, tuple(kept))


def _find(connection: Connection, name: str) -> NamespaceContent | None:
    try:
        return namespaces.read(connection, namespaces.load(connection, LoadNamespace(name)))
    except errors.NotFound:
        return None


def _plain(content: NamespaceContent) -> NamespaceContent:
    """Return ``content`` so that equal ones are equal: parts by name, and no number of ours."""
    return NamespaceContent(
        replace(content.namespace, id=None),
        _sorted(content.associations),
        _sorted(content.properties),
        _sorted(content.objects),
        _sorted(content.tags),
    )


def _sorted(parts: Iterable[P]) -> tuple[P, ...]:
    return tuple(sorted(parts, key=lambda part: part.name))


def _is_changed_here(own: NamespaceContent, other: NamespaceContent) -> bool:
    """Return whether our namespace was changed later than the other one. One that was only created never was."""
    times = list(_times(own))
    is_changed = len({each for pair in times for each in pair}) > 1
    return is_changed and max(end for _, end in times) > max(end for _, end in _times(other))


def _times(content: NamespaceContent) -> Iterator[tuple[datetime, datetime]]:
    parts: tuple[_Part, ...] = (*content.associations, *content.properties, *content.objects, *content.tags)
    both = [(content.namespace.created_at, content.namespace.updated_at)]
    both += [(part.created_at, part.updated_at) for part in parts]
    yield from ((begin, end) for begin, end in both if begin is not None and end is not None)


def _replace(connection: Connection, own: NamespaceContent | None, content: NamespaceContent) -> None:
    if own is not None:
        connection.execute(delete(metadef_namespaces).where(metadef_namespaces.c.id == own.namespace.id))
    namespace = content.namespace
    row = namespace.attributes() | {"created_at": namespace.created_at, "updated_at": namespace.updated_at}
    number = connection.execute(insert(metadef_namespaces).values(**row)).inserted_primary_key
    assert number is not None
    _insert(connection, ASSOCIATIONS, number[0], content.associations)
    _insert(connection, PROPERTIES, number[0], content.properties)
    _insert(connection, OBJECTS, number[0], content.objects)
    _insert(connection, TAGS, number[0], content.tags)


def _insert(connection: Connection, kind: Parts[P], number: int, parts: Iterable[P]) -> None:
    rows = [
        {
            "namespace_id": number,
            "name": part.name,
            "created_at": part.created_at,
            "updated_at": part.updated_at,
            **kind.to_values(part),
        }
        for part in parts
    ]
    if rows:
        connection.execute(insert(kind.table), rows)


WRITES = {TakeOverNamespaces: take_over}
