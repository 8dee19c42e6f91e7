"""Adds the sessions of uploads that may break off and go on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the table, and the lock of new sessions."""
    op.create_table(
        "upload_sessions",
        sa.Column("id", _exact(36), nullable=False),
        sa.Column("image_id", _exact(36), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kind", _exact(16), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("store", _exact(255)),
        sa.Column("metadata", _long_text(), nullable=False),
        sa.Column("parts", _long_text(), nullable=False),
        sa.Column("host", _exact(255)),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.Column("finish_at", _moment()),
        sa.Column("is_finished", sa.Boolean(), nullable=False),
        sa.Column("user_id", _exact(255)),
        sa.Column("project_id", _exact(255)),
        sa.Column("roles", _long_text(), nullable=False),
        sa.Column("service_roles", _long_text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        *(sa.Column(name, _exact(255)) for name in ("user_domain_id", "project_domain_id")),
        *(sa.Column(name, _exact(255)) for name in ("domain_id", "system_scope")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_upload_sessions_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_upload_sessions"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("ix_upload_sessions_image_id", "upload_sessions", ["image_id", "expires_at"])
    op.create_index("ix_upload_sessions_project_id", "upload_sessions", ["project_id", "expires_at"])
    op.create_index("ix_upload_sessions_expires_at", "upload_sessions", ["expires_at"])
    op.create_index("ix_upload_sessions_finish_at", "upload_sessions", ["finish_at"])
    op.bulk_insert(sa.table("turns", sa.column("name", sa.String())), [{"name": "add_upload_session"}])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _long_text() -> sa.Text:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
