"""Namespaces of metadata definitions (api-metadefs-namespaces).

Every change of metadata definitions waits for one lock, so that changes exclude each other and the limits hold.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)

from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyColumns, AnyRow, AnySelect, AnyTable
from glance_mini.db.sqlalchemy.metadefs.parts import beyond, check_unprotected, ordered
from glance_mini.db.sqlalchemy.metadefs.rows import (
    ASSOCIATIONS,
    OBJECTS,
    PROPERTIES,
    TAGS,
    to_association,
    to_namespace,
)
from glance_mini.db.sqlalchemy.metadefs.types import add_types
from glance_mini.db.sqlalchemy.models import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_objects,
    metadef_properties,
    metadef_tags,
)
from glance_mini.db.sqlalchemy.paging import number_within
from glance_mini.domain import errors
from glance_mini.domain.metadefs import MetadefLimits, Namespace, NamespaceContent, NamespacePage, NamespaceQuery
from glance_mini.domain.query import Scope
from glance_mini.operations.base import NamespaceOperation
from glance_mini.operations.metadefs import (
    AddNamespace,
    DeleteNamespace,
    GetNamespace,
    GetNamespaces,
    LoadNamespace,
    ModifyNamespace,
)

ASSOCIATIONS_OF_A_PAGE = 10_000
"""A page of namespaces ends before it has more associations; it always has one namespace."""

_COLUMNS = metadef_namespaces.c
_OF = metadef_namespace_resource_types.c
_COUNT = (
    select(func.count()).where(_OF.namespace_id == _COLUMNS.id).correlate(metadef_namespaces).scalar_subquery()
).label("associations")


def load(connection: Connection, call: LoadNamespace) -> Namespace:
    """Return the namespace that ``call`` names; raises NotFound."""
    row = connection.execute(_named(call.namespace).where(_may_see(call.scope))).first()
    if row is None:
        raise errors.NotFound(kind="namespace", id=call.namespace)
    return to_namespace(row)


def list_namespaces(connection: Connection, call: GetNamespaces) -> NamespacePage:
    """Return one page in two statements; raises NotFound if the marker is not a namespace that ``scope`` may see."""
    query = call.query
    rows = connection.execute(_page(query, call.scope)).all()
    if not rows:
        if query.marker is not None:
            load(connection, LoadNamespace(query.marker, call.scope))
        return NamespacePage(())
    kept = rows[: number_within((row.associations for row in rows), ASSOCIATIONS_OF_A_PAGE)]
    statement = select(metadef_namespace_resource_types).where(_OF.namespace_id.in_([row.id for row in kept]))
    found = connection.execute(statement.order_by(_OF.namespace_id, _OF.name))
    associations = {
        number: tuple(map(to_association, each)) for number, each in groupby(found, attrgetter("namespace_id"))
    }
    has_more = len(kept) < len(rows) or len(rows) == query.limit
    return NamespacePage(
        tuple(NamespaceContent(to_namespace(row), associations.get(row.id, ())) for row in kept),
        kept[-1].namespace if has_more else None,
    )


def get(connection: Connection, call: GetNamespace) -> NamespaceContent:
    """Return the namespace with all its parts; raises NotFound."""
    return read(connection, call.found or find(connection, call))


def read(connection: Connection, namespace: Namespace) -> NamespaceContent:
    """Return a namespace with all its parts, in one statement; raises NotFound if it was deleted."""
    rows: dict[str, list[AnyRow]] = {kind: [] for kind in ("itself", "associations", "properties", "objects", "tags")}
    for row in connection.execute(_parts(namespace.id)):
        rows[row.kind].append(row)
    if not rows["itself"]:
        raise errors.NotFound(kind="namespace", id=namespace.name)
    return NamespaceContent(
        namespace,
        tuple(map(to_association, rows["associations"])),
        tuple(map(PROPERTIES.to_part, rows["properties"])),
        tuple(map(OBJECTS.to_part, rows["objects"])),
        tuple(map(TAGS.to_part, rows["tags"])),
    )


def add(connection: Connection, call: AddNamespace, now: datetime) -> NamespaceContent:
    """Insert a namespace with all its parts and return it; raises Duplicate, LimitExceeded."""
    locks.wait(connection, locks.CHANGE_METADEFS)
    return insert_content(connection, call.content, call.bounds, now)


def insert_content(
    connection: Connection, content: NamespaceContent, bounds: MetadefLimits, now: datetime
) -> NamespaceContent:
    """Insert a namespace with all its parts, in a transaction that holds the lock."""
    namespace = replace(content.namespace, created_at=now, updated_at=now)
    _check_name(connection, namespace.name)
    _check_number(connection, namespace.owner, bounds)
    row = namespace.attributes() | {"created_at": now, "updated_at": now}
    number = connection.execute(insert(metadef_namespaces).values(**row)).inserted_primary_key
    assert number is not None
    namespace = replace(namespace, id=number[0])
    add_types(connection, [each.name for each in content.associations], bounds, now)
    return NamespaceContent(
        namespace,
        ASSOCIATIONS.add(connection, namespace, content.associations, bounds, now),
        PROPERTIES.add(connection, namespace, content.properties, bounds, now),
        OBJECTS.add(connection, namespace, content.objects, bounds, now),
        TAGS.add(connection, namespace, content.tags, bounds, now),
    )


def modify(connection: Connection, call: ModifyNamespace, now: datetime) -> NamespaceContent:
    """Replace the fields of a namespace and return it with its associations; raises NotFound, Duplicate."""
    before = lock(connection, call)
    if call.new.name != before.name:
        _check_name(connection, call.new.name)
    if call.new.owner != before.owner:
        _check_number(connection, call.new.owner, call.bounds)
    after = replace(call.new, id=before.id, created_at=before.created_at, updated_at=now)
    row = after.attributes() | {"updated_at": now}
    connection.execute(update(metadef_namespaces).where(_COLUMNS.id == before.id).values(**row))
    return NamespaceContent(after, ASSOCIATIONS.all(connection, after.id))


def remove(connection: Connection, call: DeleteNamespace, now: datetime) -> Namespace:
    """Delete a namespace with all its parts and return it; raises NotFound, Forbidden (protected)."""
    namespace = lock(connection, call)
    check_unprotected(namespace)
    connection.execute(delete(metadef_namespaces).where(_COLUMNS.id == namespace.id))
    return replace(namespace, updated_at=now, deleted_at=now)


def find(connection: Connection, call: NamespaceOperation[object]) -> Namespace:
    """Return the namespace of ``call``; raises NotFound, also if another one has its name by now."""
    namespace = load(connection, LoadNamespace(call.namespace))
    if call.found is not None and call.found.id != namespace.id:
        raise errors.NotFound(kind="namespace", id=call.namespace)
    return namespace


def lock(connection: Connection, call: NamespaceOperation[object]) -> Namespace:
    """Exclude all other changes until the transaction ends, and return the namespace; raises NotFound."""
    locks.wait(connection, locks.CHANGE_METADEFS)
    return find(connection, call)


def _check_name(connection: Connection, name: str) -> None:
    if connection.execute(_named(name)).first():
        raise errors.Duplicate(kind="Namespace", id=name)


def _check_number(connection: Connection, owner: str | None, bounds: MetadefLimits) -> None:
    if bounds.namespaces is not None:
        counted = select(func.count()).select_from(metadef_namespaces).where(_COLUMNS.owner == owner)
        bounds.check("namespaces", connection.execute(counted).scalar_one() + 1)


def _named(name: str) -> AnySelect:
    return select(metadef_namespaces).where(_COLUMNS.namespace == name)


def _may_see(scope: Scope, columns: AnyColumns = _COLUMNS) -> ColumnElement[bool]:
    if scope.is_admin:
        return true()
    public: ColumnElement[bool] = columns["visibility"] == "public"
    return public if scope.project_id is None else or_(public, columns["owner"] == scope.project_id)


def _page(query: NamespaceQuery, scope: Scope) -> AnySelect:
    """Return the statement of a page. The marker is looked up in it, so that it costs no further statement."""
    keys = tuple(dict.fromkeys((query.sort_key, "namespace")))
    statement: AnySelect = select(metadef_namespaces, _COUNT).where(_may_see(scope))
    if query.visibility is not None:
        statement = statement.where(_COLUMNS.visibility == query.visibility)
    if query.resource_types:
        statement = statement.where(exists().where(_OF.namespace_id == _COLUMNS.id, _OF.name.in_(query.resource_types)))
    if query.marker is not None:
        last = metadef_namespaces.alias("marker")
        statement = statement.where(
            last.c.namespace == query.marker,
            _may_see(scope, last.c),
            beyond([_COLUMNS[key] for key in keys], [last.c[key] for key in keys], query.sort_dir),
        )
    return statement.order_by(*ordered([_COLUMNS[key] for key in keys], query.sort_dir)).limit(query.limit)


def _parts(namespace_id: int | None) -> Executable:
    """Return the statement that reads a namespace and all its parts; each row has the columns that its kind needs."""
    itself = _part("itself", metadef_namespaces, _COLUMNS.namespace, {}).where(_COLUMNS.id == namespace_id)
    tables: dict[str, tuple[AnyTable, dict[str, AnyColumn]]] = {
        "associations": (
            metadef_namespace_resource_types,
            {"prefix": _OF.prefix, "properties_target": _OF.properties_target},
        ),
        "properties": (metadef_properties, {"definition": metadef_properties.c.definition}),
        "objects": (metadef_objects, {"definition": metadef_objects.c.definition}),
        "tags": (metadef_tags, {}),
    }
    parts = [
        _part(kind, table, table.c.name, more).where(table.c.namespace_id == namespace_id)
        for kind, (table, more) in tables.items()
    ]
    return union_all(itself, *parts)


def _part(kind: str, table: AnyTable, name: AnyColumn, more: Mapping[str, AnyColumn]) -> AnySelect:
    return select(
        literal(kind).label("kind"),
        name.label("name"),
        *(more.get(each, literal("")).label(each) for each in ("prefix", "properties_target", "definition")),
        table.c.created_at.label("created_at"),
        table.c.updated_at.label("updated_at"),
    )


QUERIES = {LoadNamespace: load, GetNamespaces: list_namespaces, GetNamespace: get}
WRITES = {AddNamespace: add, ModifyNamespace: modify, DeleteNamespace: remove}
