"""What belongs to a namespace, one table for each kind: reads, and changes within a transaction that holds the lock.

All changes of metadata definitions wait for one lock (``namespaces.lock``): they are rare and short. So what is counted
and looked up before a change still holds when it is written.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, and_, asc, bindparam, delete, desc, func, insert, or_, select, update

from glance_mini.db.sqlalchemy.dynamic import AnyColumn, AnyRow, AnyTable, RowValues
from glance_mini.db.sqlalchemy.models import metadef_objects, metadef_properties
from glance_mini.db.sqlalchemy.sql import byte_length
from glance_mini.domain import errors
from glance_mini.domain.fields import with_fields
from glance_mini.domain.metadefs import (
    Association,
    MetadefLimits,
    Namespace,
    ObjectDefinition,
    PartQuery,
    PropertyDefinition,
    TagDefinition,
)

P = TypeVar("P", Association, ObjectDefinition, PropertyDefinition, TagDefinition)

Values = Mapping[str, object]


@dataclass(frozen=True)
class Parts(Generic[P]):
    """The parts of one kind.

    ``kind`` names them in errors, ``limit`` is their field of ``MetadefLimits``. ``to_part`` makes a part of a row,
    ``to_values`` the columns of a part but for its times.
    """

    table: AnyTable
    kind: str
    limit: str
    to_part: Callable[[AnyRow], P]
    to_values: Callable[[P], Values]

    def all(self, connection: Connection, namespace_id: int | None) -> tuple[P, ...]:
        """Return all parts of a namespace, by name."""
        rows = connection.execute(select(self.table).where(self._of(namespace_id)).order_by(self.table.c.name))
        return tuple(map(self.to_part, rows))

    def page(
        self, connection: Connection, namespace_id: int | None, query: PartQuery
    ) -> tuple[tuple[P, ...], str | None]:
        """Return a page of parts, and the marker of the next one; raises NotFound if the marker is not a part."""
        columns = self.table.c
        keys = [columns[key] for key in dict.fromkeys((query.sort_key, "name"))]
        statement = select(self.table).where(self._of(namespace_id))
        if query.marker is not None:
            row = connection.execute(select(*keys).where(self._key(namespace_id, query.marker))).first()
            if row is None:
                raise errors.NotFound(kind=self.kind, id=query.marker)
            statement = statement.where(beyond(keys, row, query.sort_dir))
        order = ordered(keys, query.sort_dir)
        found = connection.execute(statement.order_by(*order).limit(query.limit)).all()
        next_marker = found[-1].name if found and len(found) == query.limit else None
        return tuple(map(self.to_part, found)), next_marker

    def get(self, connection: Connection, namespace_id: int | None, name: str) -> P:
        """Return one part; raises NotFound."""
        row = connection.execute(select(self.table).where(self._key(namespace_id, name))).first()
        if row is None:
            raise errors.NotFound(kind=self.kind, id=name)
        return self.to_part(row)

    def count(self, connection: Connection, namespace_id: int | None) -> int:
        """Return the number of parts of a namespace."""
        return connection.execute(select(func.count()).where(self._of(namespace_id))).scalar_one()

    def add(
        self, connection: Connection, namespace: Namespace, parts: Sequence[P], bounds: MetadefLimits, now: datetime
    ) -> tuple[P, ...]:
        """Insert parts and return them with their times; raises Duplicate, LimitExceeded."""
        if not parts:
            return ()
        names = [part.name for part in parts]
        columns = self.table.c
        present = select(columns.name).where(self._of(namespace.id), columns.name.in_(names)).limit(1)
        taken = connection.execute(present).scalar() or next(
            (n for n, each in Counter(names).items() if each > 1), None
        )
        if taken is not None:
            raise errors.Duplicate(kind=self.kind.capitalize(), id=taken)
        bounds.check(self.limit, self.count(connection, namespace.id) + len(names))
        rows = [self._row(namespace, part) | {"created_at": now, "updated_at": now} for part in parts]
        connection.execute(insert(self.table), rows)
        check_bytes(connection, namespace, rows, bounds)
        return tuple(with_fields(part, created_at=now, updated_at=now) for part in parts)

    def replace(
        self, connection: Connection, namespace: Namespace, name: str, part: P, bounds: MetadefLimits, now: datetime
    ) -> P:
        """Replace the part ``name``, which may get another name, and return it.

        Raises NotFound, Duplicate, LimitExceeded.
        """
        before = self.get(connection, namespace.id, name)
        if (
            part.name != name
            and connection.execute(select(self.table).where(self._key(namespace.id, part.name))).first()
        ):
            raise errors.Duplicate(kind=self.kind.capitalize(), id=part.name)
        row = self._row(namespace, part) | {"updated_at": now}
        connection.execute(update(self.table).where(self._key(namespace.id, name)).values(**row))
        check_bytes(connection, namespace, [row], bounds)
        return with_fields(part, created_at=before.created_at, updated_at=now)

    def remove(self, connection: Connection, namespace: Namespace, name: str, now: datetime) -> P:
        """Delete a part and return it; raises NotFound, Forbidden (protected)."""
        before = self.get(connection, namespace.id, name)
        check_unprotected(namespace)
        connection.execute(delete(self.table).where(self._key(namespace.id, name)))
        return with_fields(before, updated_at=now, deleted_at=now)

    def clear(self, connection: Connection, namespace: Namespace) -> int:
        """Delete all parts of a namespace and return their number; raises Forbidden (protected)."""
        check_unprotected(namespace)
        return connection.execute(delete(self.table).where(self._of(namespace.id))).rowcount

    def _of(self, namespace_id: int | None) -> ColumnElement[bool]:
        return cast(ColumnElement[bool], self.table.c.namespace_id == namespace_id)

    def _key(self, namespace_id: int | None, name: str) -> ColumnElement[bool]:
        return and_(self._of(namespace_id), self.table.c.name == name)

    def _row(self, namespace: Namespace, part: P) -> dict[str, object]:
        return {"namespace_id": namespace.id, "name": part.name, **self.to_values(part)}


def check_unprotected(namespace: Namespace) -> None:
    """Raise Forbidden if ``namespace`` is protected."""
    if namespace.protected:
        reason = f"Namespace {namespace.name} is protected; neither it nor anything in it can be deleted."
        raise errors.Forbidden(reason=reason)


def check_bytes(connection: Connection, namespace: Namespace, written: Iterable[Values], bounds: MetadefLimits) -> None:
    """Raise LimitExceeded if a written definition, or all of the namespace together, are too long."""
    sizes = [len(str(row["definition"]).encode()) for row in written if "definition" in row]
    if not sizes:
        return
    bounds.check("definition_bytes", max(sizes))
    if bounds.total_bytes is not None:
        total = sum(connection.execute(size, {"namespace": namespace.id}).scalar_one() for size in _SIZES)
        bounds.check("total_bytes", int(total))


def ordered(keys: Sequence[AnyColumn], direction: str) -> list[AnyColumn]:
    """Return the ORDER BY terms for ``keys``, all in one direction."""
    return [asc(key) if direction == "asc" else desc(key) for key in keys]


def beyond(keys: Sequence[AnyColumn], marker: RowValues, direction: str) -> ColumnElement[bool]:
    """Return the condition for rows after those with the values ``marker`` of the one or two ``keys``."""
    compare = operator.gt if direction == "asc" else operator.lt
    further: ColumnElement[bool] = compare(keys[-1], marker[-1])
    if len(keys) == 1:
        return further
    return or_(compare(keys[0], marker[0]), and_(keys[0] == marker[0], further))


_SIZES = [
    select(func.coalesce(func.sum(byte_length(table.c.definition)), 0)).where(
        table.c.namespace_id == bindparam("namespace")
    )
    for table in (metadef_properties, metadef_objects)
]
