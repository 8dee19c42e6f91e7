"""Adds the links of incremental images to their bases, and the hashes of blocks; no image has any yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the tables."""
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
    op.create_table(
        "block_hashes",
        sa.Column("image_id", _exact(36), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_block_hashes_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "part", name="pk_block_hashes"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
