"""The data access interface on a database: each method is one read or one transaction of a resource's module."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine

from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy import deletions, image_list, images, members, purge, transfers, usage
from glance_mini.db.sqlalchemy.database import Database
from glance_mini.domain.changes import ImageChanges
from glance_mini.domain.image import Image
from glance_mini.domain.member import Member
from glance_mini.domain.query import ImageQuery, Page, Scope
from glance_mini.domain.quota import Limits
from glance_mini.domain.transfer import Deletion, StoredData, Transfer


class SqlDataAccess(DataAccess):
    """Answers on ``engine``, whose tables are as ``schema.sync`` leaves them; safe to share by threads."""

    def __init__(self, engine: Engine, conflict_retries: int = 20) -> None:
        self.engine = engine
        self._database = Database(engine, conflict_retries)

    def get_image(self, image_id: str, scope: Scope) -> Image:  # noqa: D102
        return self._database.read(lambda connection: images.get(connection, image_id, scope))
