"""Lets a custom property be null, and adds to each image the size of its properties, tags and locations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
BATCH = 1000

IMAGES = sa.table("images", sa.column("id"), sa.column("child_bytes", sa.BigInteger))
PROPERTIES = sa.table("image_properties", *map(sa.column, ("image_id", "name", "value")))
TAGS = sa.table("image_tags", *map(sa.column, ("image_id", "value")))
LOCATIONS = sa.table("image_locations", *map(sa.column, ("image_id", "value", "meta_data")))

_CHILDREN = (
    (PROPERTIES, (PROPERTIES.c.name, PROPERTIES.c.value)),
    (TAGS, (TAGS.c.value,)),
    (LOCATIONS, (LOCATIONS.c.value, LOCATIONS.c.meta_data)),
)


def upgrade() -> None:
    """Change the columns, and fill the new one in batches that may be repeated."""
    if op.get_bind().dialect.name == "sqlite":
        _allow_null()
    else:
        op.alter_column("image_properties", "value", existing_type=LONG_TEXT, nullable=True)
    op.add_column("images", sa.Column("child_bytes", sa.BigInteger, nullable=False, server_default="0"))
    connection = op.get_bind()
    lengths = sum(_lengths(table, columns) for table, columns in _CHILDREN)
    begin = ""
    while True:
        page = sa.select(IMAGES.c.id).where(IMAGES.c.id > begin).order_by(IMAGES.c.id).limit(BATCH)
        ids = connection.execute(page).scalars().all()
        if not ids:
            return
        wanted = sa.and_(IMAGES.c.id > begin, IMAGES.c.id <= ids[-1])
        connection.execute(sa.update(IMAGES).where(wanted).values(child_bytes=lengths))
        begin = ids[-1]


def _allow_null() -> None:
    """Change the text of the table, as SQLite's documentation of ALTER TABLE describes in its section 7.

    The rows stay as they are; a copy of the table takes a minute for each million of them.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, 'value TEXT NOT NULL', 'value TEXT')"
        " WHERE type = 'table' AND name = 'image_properties' AND sql LIKE '%value TEXT NOT NULL%'"
    )
    assert changed.rowcount == 1
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def _lengths(table: sa.TableClause, columns: tuple[sa.ColumnClause[str], ...]) -> sa.ColumnElement[int]:
    """Return the bytes in ``columns`` of all rows of an image."""
    total = sum(sa.func.coalesce(_length(column), 0) for column in columns)
    found = sa.select(sa.func.coalesce(sa.func.sum(total), 0)).where(table.c.image_id == IMAGES.c.id)
    return found.correlate(IMAGES).scalar_subquery()


def _length(column: sa.ColumnClause[str]) -> sa.ColumnElement[int]:
    if op.get_bind().dialect.name == "sqlite":
        return sa.func.length(sa.cast(column, sa.BLOB))
    return sa.func.octet_length(column)
