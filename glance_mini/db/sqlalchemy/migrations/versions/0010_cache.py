"""Adds what nodes record about their caches of image data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the tables; no node has recorded anything yet."""
    op.create_table(
        "cached_images",
        sa.Column("node", _exact(255), nullable=False),
        sa.Column("image_id", _exact(36), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("last_accessed", _moment(), nullable=False),
        sa.Column("last_modified", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("node", "image_id", name="pk_cached_images"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("ix_cached_images_image_id", "cached_images", ["image_id"])
    op.create_table(
        "cache_queue",
        sa.Column("node", _exact(255), nullable=False),
        sa.Column("image_id", _exact(36), nullable=False),
        sa.Column("queued_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("node", "image_id", name="pk_cache_queue"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
