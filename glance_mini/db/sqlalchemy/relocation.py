"""Changes the paths of data in files after their directory has been moved."""

from sqlalchemy import Engine, func, literal, update

from glance_mini.db.sqlalchemy.models import deletions, image_locations, staged_data


def relocate(engine: Engine, old: str, new: str) -> None:
    """Let all locations below the directory ``old`` be below ``new``; both are absolute paths. May be repeated."""
    before, after = f"file://{old.rstrip('/')}/", f"file://{new.rstrip('/')}/"
    with engine.connect() as connection:
        for table in (image_locations, deletions, staged_data):
            value = table.c.value
            moved = literal(after) + func.substr(value, len(before) + 1)
            statement = update(table).where(func.substr(value, 1, len(before)) == before).values(value=moved)
            if after.startswith(before):
                # A second run must not move what the first one has moved.
                statement = statement.where(func.substr(value, 1, len(after)) != after)
            connection.execute(statement)
