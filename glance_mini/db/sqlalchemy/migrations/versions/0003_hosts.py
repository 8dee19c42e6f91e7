"""Binds work to the node on whose own disk its data is, and counts jobs for all of their stores."""

import orjson
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
HOST = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")

JOBS = sa.table("jobs", *map(sa.column, ("image_id", "state", "store", "stores", "host")))
STAGED = sa.table("staged_data", *map(sa.column, ("image_id", "host")))
DELETIONS = sa.table("deletions", *map(sa.column, ("id", "meta_data", "host")))


def upgrade() -> None:
    """Add and fill the columns; ``jobs.store``, which ``jobs.stores`` replaces, is removed one release later."""
    for table in ("jobs", "transfers", "deletions"):
        op.add_column(table, sa.Column("host", HOST))
    op.add_column("jobs", sa.Column("stores", LONG_TEXT))
    _fill_jobs()
    _fill_deletions()


def _fill_jobs() -> None:
    stores = sa.literal(",", sa.String).concat(JOBS.c.store).concat(sa.literal(",", sa.String))
    op.execute(sa.update(JOBS).where(JOBS.c.store.is_not(None)).values(stores=stores))
    host = sa.select(STAGED.c.host).where(STAGED.c.image_id == JOBS.c.image_id).scalar_subquery()
    op.execute(sa.update(JOBS).where(JOBS.c.state.in_(["pending", "processing"])).values(host=host))


def _fill_deletions() -> None:
    """Copy the host from the metadata that the service wrote; there are few such rows."""
    connection = op.get_bind()
    is_bound = DELETIONS.c.meta_data.like('%"os_glance_staging_store"%"host"%')
    rows = connection.execute(sa.select(DELETIONS.c.id, DELETIONS.c.meta_data).where(is_bound)).all()
    for identity, metadata in rows:
        host = orjson.loads(metadata).get("host")
        connection.execute(sa.update(DELETIONS).where(DELETIONS.c.id == identity).values(host=host))
