"""Adds the room that a project has counted in advance, so that creates at the same time do not wait for one row.

What a node of the revision before counts stays right: it sees this room as used.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create the table; nothing is counted in advance yet."""
    op.create_table(
        "quota_spares",
        sa.Column("project_id", _exact(255), nullable=False),
        sa.Column("resource", _exact(64), nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("spare", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "resource", "shard", name="pk_quota_spares"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
