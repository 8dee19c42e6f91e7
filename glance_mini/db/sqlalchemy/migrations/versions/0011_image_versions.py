"""Adds a number to each image that every change of it increments."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column; all images begin at 0."""
    op.add_column("images", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
