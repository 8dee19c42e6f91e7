"""The outbox interface on a database: each method is one read or one transaction of ``outbox``."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from glance_mini.db.outbox_interface import OutboxAccess, OutboxEvent
from glance_mini.db.sqlalchemy import outbox
from glance_mini.db.sqlalchemy.database import Database


class SqlOutboxAccess(OutboxAccess):
    """Answers on ``database``, which ``SqlDataAccess`` has opened and closes; safe to share by threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_events(self, events: Iterable[OutboxEvent]) -> None:
        kept = list(events)
        self._database.write(lambda c: outbox.add(c, kept))

    def take_events(
        self, process: str, now: datetime, claimed_until: datetime, max_rows: int
    ) -> Sequence[OutboxEvent]:
        if not self._database.read(outbox.count):
            return []
        return self._database.write(lambda c: outbox.take(c, process, now, claimed_until, max_rows))

    def finish_events(self, event_ids: Collection[int]) -> None:
        self._database.write(lambda c: outbox.remove(c, event_ids))

    def release_events(self, process: str, event_ids: Collection[int]) -> None:
        self._database.write(lambda c: outbox.release(c, process, event_ids))

    def count_events(self) -> int:
        return self._database.read(outbox.count)
