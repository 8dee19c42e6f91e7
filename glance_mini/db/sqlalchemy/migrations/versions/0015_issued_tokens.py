"""Adds tokens that the service issues at a log-in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "issued_tokens",
        sa.Column("id", _exact(36), nullable=False),
        sa.Column("digest", _exact(64), nullable=False),
        sa.Column("user_id", _exact(255), nullable=False),
        sa.Column("project_id", _exact(255)),
        sa.Column("domain_id", _exact(255)),
        sa.Column("credential", _exact(64), nullable=False),
        sa.Column("methods", _exact(255), nullable=False),
        sa.Column("issued_at", _moment(), nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_issued_tokens"),
        sa.UniqueConstraint("digest", name="uniq_issued_tokens_digest"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("ix_issued_tokens_user_id", "issued_tokens", ["user_id", "issued_at"])
    op.create_index("ix_issued_tokens_expires_at", "issued_tokens", ["expires_at"])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
