"""Jobs, staged data, images in the trash, the outbox of notifications, and locks (the table ``turns``)."""

from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

revision = "0002"
down_revision = "0001"

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_nopad_bin"}
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TURNS = ("claim_job", "take_events")


def upgrade() -> None:
    """Create the tables and the rows of ``turns``."""
    _create_jobs()
    _create_staged_data()
    _create_pending_deletes()
    _create_outbox()
    turns = op.create_table("turns", _column("name", _exact(64)), _key("turns", "name"), **MYSQL)
    assert turns is not None
    op.bulk_insert(turns, [{"name": name} for name in TURNS])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        _column("id", _exact(36)),
        _column("kind", _exact(64)),
        _column("created_at", MOMENT),
        _column("updated_at", MOMENT),
        _column("due_at", MOMENT),
        sa.Column("image_id", _exact(36)),
        sa.Column("project_id", _exact(255)),
        sa.Column("user_id", _exact(255)),
        sa.Column("request_id", _exact(255)),
        _column("roles", LONG_TEXT),
        _column("input", LONG_TEXT),
        _column("state", _exact(16)),
        _column("priority", sa.Integer()),
        sa.Column("store", _exact(255)),
        _column("checkpoint", LONG_TEXT),
        sa.Column("result", LONG_TEXT),
        _column("message", LONG_TEXT),
        _column("attempts", sa.Integer()),
        sa.Column("process", _exact(255)),
        sa.Column("lease_until", MOMENT),
        _column("is_cancelled", sa.Boolean(), sa.false()),
        sa.Column("expires_at", MOMENT),
        sa.Column("token", LONG_TEXT),
        _column("rank", sa.Integer()),
        sa.Column("counted_for", _exact(255)),
        _key("jobs", "id"),
        **MYSQL,
    )
    op.create_index("ix_jobs_queue", "jobs", ["state", "rank", "due_at", "id"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_image_id", "jobs", ["image_id", "created_at"])
    op.create_index("ix_jobs_expires_at", "jobs", ["expires_at"])


def _create_staged_data() -> None:
    op.create_table(
        "staged_data",
        _column("image_id", _exact(36)),
        sa.Column("project_id", _exact(255)),
        _column("store", _exact(255)),
        _column("value", LONG_TEXT),
        _column("size", sa.BigInteger()),
        sa.Column("host", _exact(255)),
        _column("created_at", MOMENT),
        _key("staged_data", "image_id"),
        **MYSQL,
    )
    op.create_index("ix_staged_data_project_id", "staged_data", ["project_id"])


def _create_pending_deletes() -> None:
    op.create_table(
        "pending_deletes",
        _column("image_id", _exact(36)),
        _column("status", _exact(30)),
        _column("scrub_at", MOMENT),
        _key("pending_deletes", "image_id"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_pending_deletes_image_id", ondelete="CASCADE"),
        **MYSQL,
    )
    op.create_index("ix_pending_deletes_scrub_at", "pending_deletes", ["scrub_at"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        _column("id", COUNTER),
        sa.Column("image_id", _exact(36)),
        _column("event", _exact(255)),
        _column("priority", _exact(16)),
        _column("payload", LONG_TEXT),
        _column("caller", LONG_TEXT),
        _column("created_at", MOMENT),
        sa.Column("claimed_by", _exact(255)),
        sa.Column("claimed_until", MOMENT),
        _key("outbox", "id"),
        sqlite_autoincrement=True,
        **MYSQL,
    )
    op.create_index("ix_outbox_image_id", "outbox", ["image_id", "id"])


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _column(name: str, kind: TypeEngine[T], default: str | sa.ColumnElement[bool] | None = None) -> sa.Column[T]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")
