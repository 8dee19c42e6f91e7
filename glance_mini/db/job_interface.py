"""What jobs, staging and imports ask of their data. Times are UTC without a zone; each method is one transaction.

Answered by ``glance_mini.db.sqlalchemy`` beside ``interface.DataAccess``, on the same database.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, Self

from glance_mini.db.outbox_interface import OutboxEvent, TellsEvents
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job, JobLimits, JobQuery
from glance_mini.domain.quota import Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer


class JobWatcher(Protocol):
    """Who is told of jobs that have begun or ended, as they are by then."""

    def stored(self, changed: Iterable[Job]) -> Iterable[OutboxEvent]:
        """Return the events that are stored in the transaction of the change; pure, for that may be begun anew."""
        ...

    def committed(self, changed: Iterable[Job]) -> None:
        """Take note that the change was committed; never raises."""
        ...


class JobAccess(TellsEvents):
    """All reads and writes about jobs, staged data and imports."""

    @abstractmethod
    def watched_by(self, watcher: JobWatcher) -> Self:
        """Return a copy on the same database that tells ``watcher`` of each job which it gives out or ends."""

    # jobs

    @abstractmethod
    def add_job(self, job: Job) -> Job:
        """Insert a pending job and return it."""

    @abstractmethod
    def get_job(self, job_id: str) -> Job:
        """Return the job; NotFound."""

    @abstractmethod
    def list_jobs(self, query: JobQuery) -> Sequence[Job]:
        """Return a page of jobs; Invalid where the marker is none."""

    @abstractmethod
    def claim_job(
        self,
        process: str,
        kinds: Collection[str],
        now: datetime,
        lease_until: datetime,
        limits: JobLimits,
        host: str | None = None,
    ) -> Job | None:
        """Return a job of ``kinds`` that is due, now processing and held by ``process``; None where there is none.

        Due are pending jobs and those whose lease has ended. A job is given to one caller only (compare and set). One
        that is bound to a node is given to ``host`` only, unless it was cancelled and is only to be cleared away.
        """

    @abstractmethod
    def renew_jobs(self, process: str, job_ids: Collection[str], lease_until: datetime) -> frozenset[str]:
        """Prolong the leases of those jobs that ``process`` still holds; return those that may go on.

        A job that was cancelled or is another process's now is left out.
        """

    @abstractmethod
    def save_checkpoint(self, job: Job, checkpoint: Mapping[str, object], message: str, now: datetime) -> Job:
        """Note how far a job came; Gone where ``job.process`` does not hold it any more or it was cancelled."""

    @abstractmethod
    def finish_job(
        self,
        job: Job,
        state: str,
        result: Mapping[str, object] | None,
        message: str,
        now: datetime,
        expires_at: datetime,
    ) -> Job:
        """End a job with ``success`` or ``failure`` and forget its token; Gone where it is not ours any more."""

    @abstractmethod
    def release_job(self, job: Job, due_at: datetime, message: str, now: datetime) -> None:
        """Give a job back to be taken again from ``due_at`` on; nothing where it is not ours any more."""

    @abstractmethod
    def cancel_job(self, job_id: str, now: datetime) -> Job:
        """Mark a job cancelled: a pending one fails at once, a running one at its next step; Conflict if it ended."""

    @abstractmethod
    def retry_job(self, job_id: str, now: datetime) -> Job:
        """Make a failed job pending again, its attempts forgotten; Conflict in any other state."""

    @abstractmethod
    def purge_jobs(self, now: datetime, max_rows: int) -> int:
        """Remove finished jobs whose ``expires_at`` has passed; returns how many."""

    # staging and imports

    @abstractmethod
    def begin_staging(self, transfer: Transfer, now: datetime, limits: Limits) -> Image:
        """As ``DataAccess.begin_transfer``, to the status ``uploading`` and against ``image_stage_total``."""

    @abstractmethod
    def record_staged(self, transfer: Transfer, staged: StagedData, now: datetime) -> Image:
        """End the transfer, keep ``staged`` and set the image's size; Gone as for ``record_data``."""

    @abstractmethod
    def get_staged(self, image_id: str) -> StagedData | None:
        """Return the staged data of an image."""

    @abstractmethod
    def forget_staged(self, image_id: str) -> None:
        """Remove the record of staged data, whose bytes are gone, and give back its quota; nothing where none is."""

    @abstractmethod
    def discard_staged(self, image_id: str, now: datetime) -> None:
        """Make a pending deletion of staged data, for the node that has it; nothing where none is."""

    @abstractmethod
    def list_data_names(self, image_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the names under which data of these images is, comes or waits for its deletion, in whatever store.

        What the service has written for an upload or a staging under no such name is nobody's. Images that were deleted
        are there, with what is left of them; ids that this database has never known are not.
        """

    @abstractmethod
    def begin_import(
        self, job: Job, expect: str, status: str, properties: Mapping[str, str], now: datetime, limits: Limits
    ) -> Image:
        """Take the import lock of ``job.image_id``, move it from ``expect`` to ``status`` and insert ``job``, at once.

        ``properties`` (the progress properties, the lock among them) are set. Conflict where a job that has not ended
        holds the lock; a lock whose job has ended or does not exist is broken. StatusConflict, LimitExceeded. Where
        data was staged on a node's own disk, the job is bound to that node.
        """

    @abstractmethod
    def record_import(
        self,
        job: Job,
        data: StoredData,
        properties: Mapping[str, str],
        status: str | None,
        now: datetime,
        limits: Limits,
    ) -> Image:
        """Add the location of ``data`` to the image of ``job``, with its sizes and hashes, and set ``properties``.

        ``status`` None leaves the status. Gone where the job is not ours any more or the image was deleted,
        LimitExceeded.
        """

    @abstractmethod
    def end_import(
        self,
        job: Job,
        properties: Mapping[str, str | None],
        status: str | None,
        drop_urls: Collection[str],
        now: datetime,
    ) -> Image:
        """Set ``properties`` (None removes one) and ``status``; locations ``drop_urls`` become pending deletions.

        Used for the end of an import, good or bad, and for its progress. Gone as for ``record_import``.
        """
