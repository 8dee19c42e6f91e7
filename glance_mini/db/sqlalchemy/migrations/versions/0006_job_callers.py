"""Records with each job whether its caller is an administrator, which policy rules decide when it is made."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; a job that exists is not an administrator's, because nobody has asked the rule for it."""
    op.add_column("jobs", sa.Column("is_admin", sa.Boolean(), nullable=False, server_default=sa.false()))
