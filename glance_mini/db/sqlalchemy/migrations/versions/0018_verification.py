"""Adds the runs and the findings of the verification of stored data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the tables, and the lock of new runs."""
    op.create_table(
        "verifications",
        sa.Column("job_id", _exact(36), nullable=False),
        sa.Column("began_at", _moment(), nullable=False),
        sa.Column("ended_at", _moment()),
        sa.Column("counts", _long_text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_verifications"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("ix_verifications_began_at", "verifications", ["began_at"])
    op.create_table(
        "findings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("store", _exact(255), nullable=False),
        sa.Column("subject", _exact(255), nullable=False),
        sa.Column("kind", _exact(16), nullable=False),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("reason", _long_text(), nullable=False),
        sa.Column("image_id", _exact(36)),
        sa.Column("name", _exact(255)),
        sa.Column("size", sa.BigInteger()),
        sa.Column("found_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
        sa.UniqueConstraint("store", "subject", name="uniq_findings_store_subject"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.bulk_insert(sa.table("turns", sa.column("name", sa.String())), [{"name": "verify"}])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _long_text() -> sa.Text:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
