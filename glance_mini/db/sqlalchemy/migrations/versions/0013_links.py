"""Adds links to the data of images."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the table, and the lock of new links."""
    op.create_table(
        "image_links",
        sa.Column("id", _exact(36), nullable=False),
        sa.Column("image_id", _exact(36), nullable=False),
        sa.Column("digest", _exact(64), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("store", _exact(255)),
        sa.Column("user_id", _exact(255)),
        sa.Column("project_id", _exact(255)),
        sa.Column("roles", _long_text(), nullable=False),
        sa.Column("service_roles", _long_text(), nullable=False),
        *(sa.Column(name, _exact(255)) for name in ("user_domain_id", "project_domain_id")),
        *(sa.Column(name, _exact(255)) for name in ("domain_id", "system_scope")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_links_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_image_links"),
        sa.UniqueConstraint("digest", name="uniq_image_links_digest"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("ix_image_links_image_id", "image_links", ["image_id", "expires_at"])
    op.create_index("ix_image_links_project_id", "image_links", ["project_id", "expires_at"])
    op.create_index("ix_image_links_expires_at", "image_links", ["expires_at"])
    op.bulk_insert(sa.table("turns", sa.column("name", sa.String())), [{"name": "add_link"}])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _long_text() -> sa.Text:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
