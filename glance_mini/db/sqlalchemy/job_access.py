"""The job interface on a database: each method is one read or one transaction of a resource's module."""

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Self, TypeVar

from sqlalchemy import Connection

from glance_mini.db.job_interface import JobAccess, JobWatcher
from glance_mini.db.outbox_interface import EventsOf
from glance_mini.db.sqlalchemy import imports, outbox, staged_rows, staging
from glance_mini.db.sqlalchemy.database import Database, Then
from glance_mini.db.sqlalchemy.jobs import claims, ends, listing, rows
from glance_mini.domain.image import Image
from glance_mini.domain.job import FINISHED, Job, JobLimits, JobQuery
from glance_mini.domain.quota import Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer

T = TypeVar("T")


def _none(result: object) -> Sequence[Job]:
    return ()


def _each(job: Job | None) -> Sequence[Job]:
    return () if job is None else (job,)


def _each_ended(job: Job) -> Sequence[Job]:
    return (job,) if job.state in FINISHED else ()


class SqlJobAccess(JobAccess):
    """Answers on ``database``, which ``SqlDataAccess`` has opened and closes; safe to share by threads."""

    def __init__(self, database: Database, keep_ended: timedelta = timedelta(hours=48)) -> None:
        """``keep_ended``: how long the record of a job stays that no worker has ended."""
        self._database = database
        self._keep_ended = keep_ended
        self._then: Then | None = None
        self._watcher: JobWatcher | None = None

    def watched_by(self, watcher: JobWatcher) -> Self:
        watched = copy(self)
        watched._watcher = watcher
        return watched

    def with_events(self, events_of: EventsOf) -> Self:
        telling = copy(self)
        telling._then = outbox.recorder(events_of)
        return telling

    def add_job(self, job: Job) -> Job:
        return self._write(lambda c: rows.add(c, job))

    def get_job(self, job_id: str) -> Job:
        return self._database.read(lambda c: rows.get(c, job_id))

    def list_jobs(self, query: JobQuery) -> Sequence[Job]:
        return self._database.read(lambda c: listing.list_jobs(c, query))

    def claim_job(
        self,
        process: str,
        kinds: Collection[str],
        now: datetime,
        lease_until: datetime,
        limits: JobLimits,
        host: str | None = None,
    ) -> Job | None:
        queue = claims.Queue(kinds, host, now)
        # A worker without work costs one read and waits for nobody.
        running = self._database.read(lambda c: claims.look(c, queue))
        if running is None:
            return None
        return self._write(lambda c: claims.claim(c, queue, running, process, lease_until, limits), _each)

    def renew_jobs(self, process: str, job_ids: Collection[str], lease_until: datetime) -> frozenset[str]:
        return self._write(lambda c: rows.renew(c, process, job_ids, lease_until))

    def save_checkpoint(self, job: Job, checkpoint: Mapping[str, object], message: str, now: datetime) -> Job:
        return self._write(lambda c: rows.save_checkpoint(c, job, checkpoint, message, now))

    def finish_job(
        self,
        job: Job,
        state: str,
        result: Mapping[str, object] | None,
        message: str,
        now: datetime,
        expires_at: datetime,
    ) -> Job:
        return self._write(lambda c: ends.finish(c, job, state, result, message, now, expires_at), _each)

    def release_job(self, job: Job, due_at: datetime, message: str, now: datetime) -> None:
        self._write(lambda c: rows.release(c, job, due_at, message, now))

    def cancel_job(self, job_id: str, now: datetime) -> Job:
        expires_at = now + self._keep_ended
        return self._write(lambda c: ends.cancel(c, job_id, now, expires_at), _each_ended)

    def retry_job(self, job_id: str, now: datetime) -> Job:
        return self._write(lambda c: rows.retry(c, job_id, now))

    def purge_jobs(self, now: datetime, max_rows: int) -> int:
        return self._write(lambda c: rows.purge(c, now, max_rows))

    def begin_staging(self, transfer: Transfer, now: datetime, limits: Limits) -> Image:
        return self._write(lambda c: staging.begin(c, transfer, now, limits))

    def record_staged(self, transfer: Transfer, staged: StagedData, now: datetime) -> Image:
        return self._write(lambda c: staging.record(c, transfer, staged, now))

    def get_staged(self, image_id: str) -> StagedData | None:
        return self._database.read(lambda c: staged_rows.get(c, image_id))

    def forget_staged(self, image_id: str) -> None:
        self._write(lambda c: staging.forget(c, image_id))

    def discard_staged(self, image_id: str, now: datetime) -> None:
        self._write(lambda c: staging.discard(c, image_id, now))

    def list_data_names(self, image_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        return self._database.read(lambda c: staging.list_names(c, image_ids))

    def begin_import(
        self, job: Job, expect: str, status: str, properties: Mapping[str, str], now: datetime, limits: Limits
    ) -> Image:
        expires_at, broken = now + self._keep_ended, list[Job]()

        def begin(connection: Connection) -> Image:
            broken.clear()
            return imports.begin(connection, job, expect, status, properties, now, limits, expires_at, broken)

        return self._write(begin, lambda image: broken)

    def record_import(
        self,
        job: Job,
        data: StoredData,
        properties: Mapping[str, str],
        status: str | None,
        now: datetime,
        limits: Limits,
    ) -> Image:
        return self._write(lambda c: imports.record(c, job, data, properties, status, now, limits))

    def end_import(
        self,
        job: Job,
        properties: Mapping[str, str | None],
        status: str | None,
        drop_urls: Collection[str],
        now: datetime,
    ) -> Image:
        return self._write(lambda c: imports.end(c, job, properties, status, drop_urls, now))

    def _write(self, work: Callable[[Connection], T], changed: Callable[[T], Sequence[Job]] = _none) -> T:
        """Return what ``work`` returns, committed with the events of it and of the jobs that ``changed`` finds."""
        jobs_of: list[Job] = []

        def then(connection: Connection, result: T) -> None:
            jobs_of[:] = changed(result)
            if jobs_of and self._watcher is not None:
                outbox.add(connection, self._watcher.stored(jobs_of))
            if self._then is not None:
                self._then(connection, result)

        result = self._database.write(work, then)
        if jobs_of and self._watcher is not None:
            self._watcher.committed(jobs_of)
        return result
