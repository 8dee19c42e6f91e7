"""Adds the links of incremental images to their bases; no image has one yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "image_bases",
        sa.Column("image_id", _exact(36), nullable=False),
        sa.Column("base_id", _exact(36), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("cluster_size", sa.Integer(), nullable=False),
        sa.Column("disk_index", sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_bases_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", name="pk_image_bases"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("ix_image_bases_base_id", "image_bases", ["base_id"])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
