"""The first tables: images with properties, tags, locations, members; transfers, deletions, quota, tombstones."""

from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

revision = "0001"
down_revision = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_nopad_bin"}
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

AUDIENCE = (
    "CASE WHEN owner IS NULL OR visibility = 'public' THEN 'public'"
    " WHEN visibility = 'community' THEN 'community' ELSE 'project' END"
)
IMAGE_LISTS = (
    ("created_at", ()),
    ("owner", ("owner",)),
    ("owner_visibility", ("owner", "visibility")),
    ("visibility", ("visibility",)),
    ("audience", ("audience",)),
    ("name", ("sort_name",)),
    ("status", ("status",)),
    ("size", ("sort_size",)),
    ("container_format", ("sort_container_format",)),
    ("disk_format", ("sort_disk_format",)),
    ("updated_at", ("updated_at",)),
)


def upgrade() -> None:
    """Create all tables."""
    _create_images()
    _create_image_children()
    _create_transfers_and_deletions()
    op.create_table("image_tombstones", _column("id", _exact(36)), _key("image_tombstones", "id"), **MYSQL)
    op.create_table(
        "quota_usage",
        _column("project_id", _exact(255)),
        _column("resource", _exact(64)),
        _column("used", sa.BigInteger()),
        _key("quota_usage", "project_id", "resource"),
        **MYSQL,
    )


def _create_images() -> None:
    op.create_table(
        "images",
        _column("id", _exact(36)),
        sa.Column("name", _exact(255)),
        sa.Column("size", sa.BigInteger()),
        sa.Column("virtual_size", sa.BigInteger()),
        _column("status", _exact(30)),
        _column("visibility", _exact(9)),
        sa.Column("checksum", _exact(32)),
        sa.Column("os_hash_algo", _exact(64)),
        sa.Column("os_hash_value", _exact(128)),
        sa.Column("owner", _exact(255)),
        _column("protected", sa.Boolean(), sa.false()),
        _column("os_hidden", sa.Boolean(), sa.false()),
        sa.Column("container_format", _exact(20)),
        sa.Column("disk_format", _exact(20)),
        _column("min_disk", sa.Integer(), "0"),
        _column("min_ram", sa.Integer(), "0"),
        _column("created_at", MOMENT),
        _column("updated_at", MOMENT),
        sa.Column("deleted_at", MOMENT),
        _column("deleted", sa.Boolean(), sa.false()),
        _generated("sort_name", _exact(255), "coalesce(name, '')"),
        _generated("sort_size", sa.BigInteger(), "coalesce(size, 0)"),
        _generated("sort_container_format", _exact(20), "coalesce(container_format, '')"),
        _generated("sort_disk_format", _exact(20), "coalesce(disk_format, '')"),
        _generated("audience", _exact(9), AUDIENCE),
        _key("images", "id"),
        **MYSQL,
    )
    for name, keys in IMAGE_LISTS:
        op.create_index(f"ix_images_list_{name}", "images", ["deleted", "os_hidden", *keys, "created_at", "id"])
    op.create_index("ix_images_list_id", "images", ["deleted", "os_hidden", "id"])
    op.create_index("ix_images_checksum", "images", ["checksum"])
    op.create_index("ix_images_os_hash_value", "images", ["os_hash_value"])


def _create_image_children() -> None:
    op.create_table(
        "image_properties",
        _column("image_id", _exact(36)),
        _column("name", _exact(255)),
        _column("value", LONG_TEXT),
        _column("value_digest", _exact(32)),
        _column("image_created_at", MOMENT),
        _key("image_properties", "image_id", "name"),
        _of_image("image_properties"),
        **MYSQL,
    )
    op.create_index("ix_image_properties_list", "image_properties", ["value_digest", "image_created_at", "image_id"])
    op.create_table(
        "image_tags",
        _column("image_id", _exact(36)),
        _column("value", _exact(255)),
        _column("image_created_at", MOMENT),
        _key("image_tags", "image_id", "value"),
        _of_image("image_tags"),
        **MYSQL,
    )
    op.create_index("ix_image_tags_list", "image_tags", ["value", "image_created_at", "image_id"])
    op.create_table(
        "image_locations",
        _column("id", COUNTER),
        _column("image_id", _exact(36)),
        _column("position", sa.SmallInteger()),
        _column("value", LONG_TEXT),
        _column("meta_data", LONG_TEXT),
        _column("status", _exact(30)),
        _key("image_locations", "id"),
        _of_image("image_locations"),
        **MYSQL,
    )
    op.create_index("ix_image_locations_image_id", "image_locations", ["image_id"])
    op.create_table(
        "image_members",
        _column("image_id", _exact(36)),
        _column("member", _exact(255)),
        _column("status", _exact(20)),
        _column("created_at", MOMENT),
        _column("updated_at", MOMENT),
        _column("image_created_at", MOMENT),
        _key("image_members", "image_id", "member"),
        _of_image("image_members"),
        **MYSQL,
    )
    op.create_index("ix_image_members_list", "image_members", ["member", "status", "image_created_at", "image_id"])


def _create_transfers_and_deletions() -> None:
    op.create_table(
        "transfers",
        _column("id", _exact(36)),
        _column("image_id", _exact(36)),
        sa.Column("project_id", _exact(255)),
        _column("process", _exact(255)),
        _column("store", _exact(255)),
        _column("name", LONG_TEXT),
        _column("reserved", sa.BigInteger()),
        _column("started_at", MOMENT),
        _column("lease_until", MOMENT),
        _key("transfers", "id"),
        **MYSQL,
    )
    op.create_index("ix_transfers_image_id", "transfers", ["image_id"])
    op.create_index("ix_transfers_process", "transfers", ["process"])
    op.create_index("ix_transfers_project_id", "transfers", ["project_id", "started_at"])
    op.create_index("ix_transfers_lease_until", "transfers", ["lease_until"])
    op.create_table(
        "deletions",
        _column("id", COUNTER),
        _column("image_id", _exact(36)),
        _column("value", LONG_TEXT),
        _column("meta_data", LONG_TEXT),
        _column("due_at", MOMENT),
        _key("deletions", "id"),
        **MYSQL,
    )
    op.create_index("ix_deletions_image_id", "deletions", ["image_id"])
    op.create_index("ix_deletions_due_at", "deletions", ["due_at"])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _column(name: str, kind: TypeEngine[T], default: str | sa.ColumnElement[bool] | None = None) -> sa.Column[T]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def _generated(name: str, kind: TypeEngine[T], expression: str) -> sa.Column[T]:
    return sa.Column(name, kind, sa.Computed(expression, persisted=True))


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _of_image(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=f"fk_{table}_image_id", ondelete="CASCADE")
