"""Adds a job for each image in the trash; before, a thread of the worker looked for these images."""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
PRIORITY = -10
BATCH = 500

PENDING = sa.table("pending_deletes", sa.column("image_id"), sa.column("scrub_at", MOMENT))
IMAGES = sa.table("images", sa.column("id"), sa.column("owner"))
JOBS = sa.table(
    "jobs",
    *(sa.column(name, MOMENT) for name in ("created_at", "updated_at", "due_at")),
    *map(sa.column, ("id", "kind", "image_id", "project_id", "roles", "input", "state", "priority", "rank")),
    *map(sa.column, ("checkpoint", "message", "attempts")),
)


def upgrade() -> None:
    """Add the missing jobs; existing ones stay, so that it may be repeated."""
    connection = op.get_bind()
    has_job = sa.exists().where(JOBS.c.image_id == PENDING.c.image_id, JOBS.c.kind == "scrub")
    missing = (
        sa.select(PENDING.c.image_id, PENDING.c.scrub_at, IMAGES.c.owner)
        .join_from(PENDING, IMAGES, IMAGES.c.id == PENDING.c.image_id)
        .where(~has_job)
        .limit(BATCH)
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    values = {"kind": "scrub", "created_at": now, "updated_at": now, "state": "pending", "attempts": 0}
    values |= {"roles": "[]", "input": "{}", "checkpoint": "{}", "message": "", "priority": PRIORITY, "rank": -PRIORITY}
    while rows := connection.execute(missing).all():
        jobs = [
            values | {"id": str(uuid4()), "image_id": image_id, "due_at": scrub_at, "project_id": owner}
            for image_id, scrub_at, owner in rows
        ]
        connection.execute(sa.insert(JOBS), jobs)
