"""Counts the locations of images by the store that they name."""

from collections import Counter

import orjson
from sqlalchemy import Connection, func, select

from glance_mini.db.sqlalchemy.models import image_locations

ROWS_AT_ONCE = 1000
"""Rows that are fetched together: locations may have metadata of their own, each then is a row."""

_COUNT = select(image_locations.c.meta_data, func.count()).group_by(image_locations.c.meta_data)


def count_by_store(connection: Connection) -> dict[str | None, int]:
    """Return how many locations name each store; None: they name no store."""
    found: Counter[str | None] = Counter()
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(_COUNT)
    for metadata, count in rows:
        found[orjson.loads(metadata).get("store")] += count
    return dict(found)
