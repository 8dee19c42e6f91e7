"""Records with each job the roles of the service token, the domains and the system scope of its caller."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
EXACT = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns; in a job that exists they are empty."""
    op.add_column("jobs", sa.Column("service_roles", LONG_TEXT))
    for name in ("user_domain_id", "project_domain_id", "domain_id", "system_scope"):
        op.add_column("jobs", sa.Column(name, EXACT))
