"""The data access interface on a database: each method is one read or one transaction of a resource's module."""

from collections.abc import Callable, Collection, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine

from glance_mini.db.interface import DataAccess
from glance_mini.db.outbox_interface import EventsOf
from glance_mini.db.sqlalchemy import deletions, members, outbox, purge, transfers, trash, usage
from glance_mini.db.sqlalchemy.database import Database, Then
from glance_mini.db.sqlalchemy.images import listing, records
from glance_mini.domain.changes import ImageChanges
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.domain.query import ImageQuery, Page, Scope
from glance_mini.domain.quota import Limits
from glance_mini.domain.transfer import Deletion, PendingImage, StoredData, Transfer

T = TypeVar("T")


class SqlDataAccess(DataAccess):
    """Answers on ``engine``, whose tables are as ``schema.sync`` leaves them; safe to share by threads.

    ``database`` is its door, for the other accesses to go through: SQLite wants one for all writers of a process.
    """

    def __init__(self, engine: Engine, conflict_retries: int = 20) -> None:
        self.engine = engine
        self.database = Database(engine, conflict_retries)
        self._then: Then | None = None

    def with_events(self, events_of: EventsOf) -> Self:
        telling = copy(self)
        telling._then = outbox.recorder(events_of)
        return telling

    def get_image(self, image_id: str, scope: Scope) -> Image:
        return self.database.read(lambda c: records.get(c, image_id, scope))

    def list_images(self, query: ImageQuery, scope: Scope) -> Page:
        return self.database.read(lambda c: listing.list_images(c, query, scope))

    def create_image(self, image: Image, limits: Limits) -> Image:
        return self._write(lambda c: records.create(c, image, limits))

    def update_image(self, image_id: str, changes: ImageChanges, now: datetime, limits: Limits) -> Image:
        return self._write(lambda c: records.change(c, image_id, changes, now, limits))

    def set_status(self, image_id: str, status: str, expect: frozenset[str], now: datetime) -> Image:
        return self._write(lambda c: records.set_status(c, image_id, status, expect, now))

    def delete_image(self, image_id: str, now: datetime) -> Image:
        return self._write(lambda c: records.delete(c, image_id, now))

    def mark_pending_delete(self, image_id: str, now: datetime, job: Job) -> Image:
        return self._write(lambda c: trash.mark(c, image_id, now, job))

    def get_pending(self, image_id: str, scope: Scope) -> Image:
        return self.database.read(lambda c: trash.get(c, image_id, scope))

    def list_pending(self, max_rows: int) -> Sequence[PendingImage]:
        return self.database.read(lambda c: trash.list_all(c, max_rows))

    def restore_pending(self, image_id: str, now: datetime, limits: Limits) -> Image:
        return self._write(lambda c: trash.restore(c, image_id, now, limits))

    def delete_pending(self, image_id: str, now: datetime, due_by: datetime | None = None) -> Image:
        return self._write(lambda c: trash.finish(c, image_id, now, due_by))

    def undo_deletion(self, image: Image, now: datetime) -> Image:
        return self._write(lambda c: records.restore(c, image, now))

    def begin_transfer(self, transfer: Transfer, now: datetime, limits: Limits) -> Image:
        return self._write(lambda c: transfers.begin(c, transfer, now, limits))

    def reserve_space(self, transfer_id: str, amount: int, limits: Limits) -> None:
        self._write(lambda c: transfers.reserve(c, transfer_id, amount, limits))

    def is_youngest_transfer(self, transfer_id: str) -> bool:
        return self.database.read(lambda c: transfers.is_youngest(c, transfer_id))

    def record_data(self, transfer: Transfer, data: StoredData, now: datetime) -> Image:
        return self._write(lambda c: transfers.record_data(c, transfer, data, now))

    def abort_transfer(self, transfer: Transfer, now: datetime) -> None:
        self._write(lambda c: transfers.abort(c, transfer, now))

    def renew_leases(self, process: str, transfer_ids: Collection[str], lease_until: datetime) -> None:
        self._write(lambda c: transfers.renew(c, process, transfer_ids, lease_until))

    def take_expired_transfers(
        self,
        process: str,
        held: Collection[str],
        now: datetime,
        lease_until: datetime,
        host: str | None = None,
    ) -> Sequence[Transfer]:
        return self._write(lambda c: transfers.take_expired(c, process, held, now, lease_until, host))

    def list_deletions(self, image_id: str) -> Sequence[Deletion]:
        return self.database.read(lambda c: deletions.of_image(c, image_id))

    def take_due_deletions(self, now: datetime, retry_at: datetime, host: str | None = None) -> Sequence[Deletion]:
        return self._write(lambda c: deletions.take_due(c, now, retry_at, host))

    def hold_deletion(self, deletion_id: int, held: datetime, until: datetime) -> bool:
        return self._write(lambda c: deletions.hold(c, deletion_id, held, until))

    def finish_deletion(self, deletion_id: int) -> None:
        self._write(lambda c: deletions.remove(c, [deletion_id]))

    def list_members(self, image_id: str, member_id: str | None) -> Sequence[Member]:
        return self.database.read(lambda c: members.list_members(c, image_id, member_id))

    def add_member(self, image_id: str, member_id: str, now: datetime, limit: int | None) -> Member:
        return self._write(lambda c: members.add(c, image_id, member_id, now, limit))

    def update_member(self, image_id: str, member_id: str, status: str, now: datetime) -> Member:
        return self._write(lambda c: members.update_status(c, image_id, member_id, status, now))

    def delete_member(self, image_id: str, member_id: str, now: datetime) -> Member:
        return self._write(lambda c: members.remove(c, image_id, member_id, now))

    def get_total_usage(self) -> dict[str, int]:
        return self.database.read(usage.read_total)

    def get_usage(self, project_id: str) -> dict[str, int]:
        return self.database.read(lambda c: usage.read(c, project_id))

    def purge(self, now: datetime, older_than: timedelta, max_rows: int) -> int:
        return self._write(lambda c: purge.purge(c, now, older_than, max_rows))

    def ping(self) -> None:
        self.database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar())

    def close(self) -> None:
        self.database.close()

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self.database.write(work, self._then)
