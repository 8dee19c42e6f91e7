"""The tables of a Glance database, as far as images, tasks and metadata definitions need them.

Their shape is the same in the releases 31 to 33 (2025.1 to 2026.1); the last change was in 2024.1. Rows with
``deleted`` are kept until an operator purges them.
"""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Enum, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql

from glance_mini.db.sqlalchemy.dynamic import AnyTable

metadata = MetaData()

_VISIBILITIES = ("private", "public", "shared", "community")


def _long_text() -> Text:
    return Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _times() -> tuple[Column[object], ...]:
    return (
        Column("created_at", DateTime, nullable=False),
        Column("updated_at", DateTime),
        Column("deleted_at", DateTime),
        Column("deleted", Boolean, nullable=False),
    )


def _parts(table: str, *columns: "Column[str] | Column[str | None]") -> AnyTable:
    """Return a table of what belongs to a namespace."""
    return Table(
        table,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("namespace_id", Integer, nullable=False),
        Column("name", String(80), nullable=False),
        *columns,
        Column("created_at", DateTime, nullable=False),
        Column("updated_at", DateTime),
    )


images = Table(
    "images",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255)),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("status", String(30), nullable=False),
    Column("visibility", Enum(*_VISIBILITIES, name="image_visibility"), nullable=False),
    Column("checksum", String(32)),
    Column("os_hash_algo", String(64)),
    Column("os_hash_value", String(128)),
    Column("owner", String(255)),
    Column("protected", Boolean, nullable=False),
    Column("os_hidden", Boolean, nullable=False),
    Column("container_format", String(20)),
    Column("disk_format", String(20)),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    *_times(),
)

image_properties = Table(
    "image_properties",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", String(36), nullable=False),
    Column("name", String(255), nullable=False),
    Column("value", Text),
    *_times(),
)

image_tags = Table(
    "image_tags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", String(36), nullable=False),
    Column("value", String(255), nullable=False),
    *_times(),
)

image_locations = Table(
    "image_locations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", String(36), nullable=False),
    Column("value", Text, nullable=False),
    Column("meta_data", Text),
    Column("status", String(30), nullable=False),
    *_times(),
)

image_members = Table(
    "image_members",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", String(36), nullable=False),
    Column("member", String(255), nullable=False),
    Column("can_share", Boolean, nullable=False),
    Column("status", String(20), nullable=False),
    *_times(),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("type", String(30), nullable=False),
    Column("status", String(30), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("expires_at", DateTime),
    Column("image_id", String(36)),
    Column("request_id", String(64)),
    Column("user_id", String(64)),
    *_times(),
)

task_info = Table(
    "task_info",
    metadata,
    Column("task_id", String(36), primary_key=True),
    Column("input", _long_text()),
    Column("result", _long_text()),
    Column("message", _long_text()),
)

metadef_namespaces = Table(
    "metadef_namespaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", String(80), nullable=False),
    Column("display_name", String(80)),
    Column("description", Text),
    Column("visibility", String(32)),
    Column("protected", Boolean),
    Column("owner", String(255), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime),
)

metadef_properties = _parts("metadef_properties", Column("json_schema", Text, nullable=False))
metadef_objects = _parts(
    "metadef_objects",
    Column("description", Text),
    Column("required", Text),
    Column("json_schema", Text, nullable=False),
)
metadef_tags = _parts("metadef_tags")

metadef_resource_types = Table(
    "metadef_resource_types",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime),
)

metadef_namespace_resource_types = Table(
    "metadef_namespace_resource_types",
    metadata,
    Column("resource_type_id", Integer, primary_key=True),
    Column("namespace_id", Integer, primary_key=True),
    Column("properties_target", String(80)),
    Column("prefix", String(80)),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime),
)
