"""Metadata definitions: namespaces, and their properties, objects, tags and resource types."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_nopad_bin"}
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and the lock of their changes."""
    _create_namespaces()
    for name in ("metadef_properties", "metadef_objects"):
        _create_part(name, sa.Column("definition", LONG_TEXT, nullable=False))
    _create_part("metadef_tags")
    types = "metadef_namespace_resource_types"
    _create_part(types, sa.Column("prefix", _exact(80)), sa.Column("properties_target", _exact(80)))
    op.create_index(f"ix_{types}_name", types, ["name"])
    op.create_table(
        "metadef_resource_types",
        sa.Column("name", _exact(80), nullable=False),
        *_times(),
        sa.PrimaryKeyConstraint("name", name="pk_metadef_resource_types"),
        **MYSQL,
    )
    op.bulk_insert(sa.table("turns", sa.column("name", sa.String())), [{"name": "change_metadefs"}])


def _create_namespaces() -> None:
    name = "metadef_namespaces"
    op.create_table(
        name,
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("namespace", _exact(80), nullable=False),
        sa.Column("display_name", _exact(80)),
        sa.Column("description", _exact(500)),
        sa.Column("visibility", _exact(9), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("owner", _exact(255)),
        *_times(),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("namespace", name=f"uniq_{name}_namespace"),
        sqlite_autoincrement=True,
        **MYSQL,
    )
    for key in ("created_at", "updated_at"):
        op.create_index(f"ix_{name}_{key}", name, [key, "namespace"])
    op.create_index(f"ix_{name}_owner", name, ["owner"])


def _create_part(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("namespace_id", COUNTER, nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        *columns,
        *_times(),
        sa.PrimaryKeyConstraint("namespace_id", "name", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["metadef_namespaces.id"], name=f"fk_{name}_namespace_id", ondelete="CASCADE"
        ),
        **MYSQL,
    )


def _times() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False)


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
