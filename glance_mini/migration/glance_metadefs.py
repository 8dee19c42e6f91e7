"""Reads namespaces of metadata definitions of a Glance database, a page at a time, as domain values."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from glance_mini.db.sqlalchemy.dynamic import AnyRow, AnySelect, AnyTable
from glance_mini.domain.metadefs import (
    VISIBILITIES,
    Association,
    Definition,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.migration.glance_tables import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_objects,
    metadef_properties,
    metadef_resource_types,
    metadef_tags,
)
from glance_mini.migration.remarks import AddRemark, Remark

PAGE = 20
"""Namespaces in a page."""

MAX_DESCRIPTION = 500
"""Characters of the description of a namespace (api-metadefs-namespaces)."""

_NAMESPACES: BindParameter[int] = bindparam("namespaces", expanding=True)
_PAGE = (
    select(metadef_namespaces)
    .where(metadef_namespaces.c.id > bindparam("after"))
    .order_by(metadef_namespaces.c.id)
    .limit(PAGE)
)
_TYPES = select(metadef_resource_types.c.name).order_by(metadef_resource_types.c.name)


def _of_page(table: AnyTable) -> AnySelect:
    return select(table).where(table.c.namespace_id.in_(_NAMESPACES)).order_by(table.c.id)


_PARTS = {
    "properties": _of_page(metadef_properties),
    "objects": _of_page(metadef_objects),
    "tags": _of_page(metadef_tags),
    "associations": select(metadef_namespace_resource_types, metadef_resource_types.c.name)
    .join_from(
        metadef_namespace_resource_types,
        metadef_resource_types,
        metadef_namespace_resource_types.c.resource_type_id == metadef_resource_types.c.id,
    )
    .where(metadef_namespace_resource_types.c.namespace_id.in_(_NAMESPACES))
    .order_by(metadef_resource_types.c.name),
}

_Parts = Mapping[str, list[AnyRow]]


def count(connection: Connection) -> int:
    """Return the number of namespaces."""
    return connection.execute(select(func.count()).select_from(metadef_namespaces)).scalar_one()


def read_types(connection: Connection) -> tuple[str, ...]:
    """Return the names of all resource types."""
    return tuple(connection.execute(_TYPES).scalars())


def read_namespaces(
    connection: Connection, add_remark: AddRemark
) -> Iterator[tuple[int, tuple[NamespaceContent, ...]]]:
    """Yield pages: the number of namespaces that were read, and those that can be taken over."""
    after = 0
    while rows := connection.execute(_PAGE, {"after": after}).all():
        after = rows[-1].id
        parts: dict[int, dict[str, list[AnyRow]]] = defaultdict(lambda: defaultdict(list))
        for kind, statement in _PARTS.items():
            for part in connection.execute(statement, {"namespaces": [row.id for row in rows]}):
                parts[part.namespace_id][kind].append(part)
        yield len(rows), tuple(_Reader(add_remark, row).read(parts[row.id]) for row in rows)


@dataclass(frozen=True)
class _Reader:
    """Converts the rows of one namespace."""

    add_remark: AddRemark
    row: AnyRow

    def read(self, parts: _Parts) -> NamespaceContent:
        row = self.row
        description: str | None = row.description
        if description is not None and len(description) > MAX_DESCRIPTION:
            description = description[:MAX_DESCRIPTION]
            self._remark(f"its description was cut to {MAX_DESCRIPTION} characters")
        namespace = Namespace(
            row.namespace,
            row.display_name,
            description,
            row.visibility if row.visibility in VISIBILITIES else "private",
            bool(row.protected),
            row.owner,
            *_times(row),
        )
        return NamespaceContent(
            namespace,
            tuple(
                Association(each.name, each.prefix, each.properties_target, *_times(each))
                for each in parts["associations"]
            ),
            tuple(
                PropertyDefinition(each.name, definition, *_times(each))
                for each in parts["properties"]
                if (definition := self._json(each)) is not None
            ),
            tuple(
                ObjectDefinition(
                    each.name, each.description, _required(each.required), _definitions(properties), *_times(each)
                )
                for each in parts["objects"]
                if (properties := self._json(each)) is not None
            ),
            tuple(TagDefinition(each.name, *_times(each)) for each in parts["tags"]),
        )

    def _json(self, part: AnyRow) -> Definition | None:
        try:
            value = json.loads(part.json_schema)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        self._remark(f"its part {part.name} has a definition that is not a JSON object", is_left_out=True)
        return None

    def _remark(self, reason: str, *, is_left_out: bool = False) -> None:
        self.add_remark(Remark("namespace", self.row.namespace, reason, is_left_out))


def _required(names: str | None) -> tuple[str, ...]:
    return tuple(name for name in (names or "").split(",") if name)


def _definitions(properties: Definition) -> dict[str, Definition]:
    return {name: value for name, value in properties.items() if isinstance(value, Mapping)}


def _times(row: AnyRow) -> tuple[datetime, datetime]:
    return row.created_at, row.updated_at or row.created_at
