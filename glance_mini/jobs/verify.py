"""The job that verifies what the stores hold (operator/verification).

It reads the copies in the order of their rows, and then lists the objects of each store that can list them. Its
checkpoint says how far it got, so that a run that was killed goes on there.
"""

import hashlib
import heapq
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Gone, NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.job import VERIFY, Job
from glance_mini.domain.verification import DAMAGED, FOUND, MISSING, REMOVED, REPAIRED, UNKNOWN, Finding, StoredCopy
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.records import LoadImage
from glance_mini.operations.verification import CountCopies, EndVerification, ListCopies, RecordFindings
from glance_mini.verification.pace import Pace
from glance_mini.verification.reading import Fault, examine
from glance_mini.verification.repair import NotRepaired, Repair
from glance_mini.verification.settings import VerifyRequest, VerifySettings
from glance_mini.verification.unknown import UnknownObject, find_unknown, is_still_unknown
from glance_mini.workers.base import Control, JobFailed, JobType
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import TRANSFER, Buffers
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

PAGE = 500
"""Copies that are read from the database at once."""

SAVE_SECONDS = 3.0
"""Seconds between two checkpoints; a finding and a repair have one at once."""

COUNTS = ("copies", "bytes", "good", "unhashed", "missing", "damaged", "unreadable", "unknown", "repaired", "removed")


class VerifyJob(JobType):
    """Reads copies again, repairs them, and finds what no image knows; only one such job is there at a time."""

    kind = VERIFY

    def __init__(self, services: Services, settings: VerifySettings, save_seconds: float = SAVE_SECONDS) -> None:
        self._services = services
        self._settings = settings
        self._save_seconds = save_seconds

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        return cls(services, VerifySettings.from_config(conf))

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        request = VerifyRequest.of(job.input)
        run = _Run(self._services, self._settings, job, control, request, self._save_seconds)
        run.clean_up()
        run.read_copies()
        if request.sample is None:
            run.search_stores()
        return run.end()

    def give_up(self, job: Job, reason: str) -> None:
        """Remove what an unfinished repair has left, and end the run."""
        progress = _Progress.of(job.checkpoint)
        _remove_draft(Repair(self._services.data, self._services.stores, job, Pace(0, lambda: None)), progress)
        with suppress(Gone):
            self._services.data.run(EndVerification(job, progress.counts))


@dataclass
class _Progress:
    """The checkpoint: the last copy that was read, the stores that were searched, and what is being written."""

    after: int = 0
    searched: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    draft: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        after, searched = values.get("after"), values.get("searched")
        counts, draft = values.get("counts"), values.get("draft")
        return cls(
            after if isinstance(after, int) else 0,
            [str(each) for each in searched] if isinstance(searched, list | tuple) else [],
            Counter({str(name): int(count) for name, count in counts.items()} if isinstance(counts, Mapping) else {}),
            dict(draft) if isinstance(draft, Mapping) else {},
        )

    def as_checkpoint(self) -> dict[str, object]:
        return {
            "after": self.after,
            "searched": list(self.searched),
            "counts": dict(self.counts),
            "draft": dict(self.draft),
        }


class _Run:
    """One run of the job, which goes on where the last one stopped."""

    def __init__(
        self,
        services: Services,
        settings: VerifySettings,
        job: Job,
        control: Control,
        request: VerifyRequest,
        save_seconds: float,
    ) -> None:
        self._data: DataAccess = services.data
        self._stores: Stores = services.stores
        self._buffers: Buffers = services.buffers
        self._metrics = services.metrics
        self._settings = settings
        self._job = job
        self._control = control
        self._request = request
        self._progress = _Progress.of(job.checkpoint)
        self._pace = Pace(settings.rate, control.check)
        self._repair = Repair(self._data, self._stores, job, self._pace)
        self._save_seconds = save_seconds
        self._saved_at = time.monotonic()
        self._total = 0
        if request.store is not None:
            try:
                self._stores.get(request.store)
            except store_errors.UnknownStore as error:
                raise JobFailed(reason=f"There is no store {request.store}.") from error

    def clean_up(self) -> None:
        """Remove what a killed run was writing."""
        if self._progress.draft:
            _remove_draft(self._repair, self._progress)
            self._save()

    def read_copies(self) -> None:
        """Read the copies that are left."""
        chosen = None if self._request.sample is None else self._sample(self._request.sample)
        self._total = self._data.run(CountCopies()) if chosen is None else len(chosen)
        for copy in self._copies(self._progress.after):
            number = copy.location.id or 0
            store = self._store_of(copy)
            if (chosen is None or number in chosen) and self._request.store in (None, store):
                self._read(copy, store)
            self._progress.after = number
            self._save_sometimes()

    def search_stores(self) -> None:
        """Search the stores that are left for objects that no image knows."""
        for store in self._stores:
            is_wanted = self._request.store in (None, store.id) and store.id not in self._progress.searched
            if is_wanted and store.available and capabilities.LIST in store.driver.capabilities:
                self._search(store)
                self._progress.searched.append(store.id)
                self._save()

    def end(self) -> Mapping[str, object]:
        """Record the end and return the counts."""
        counts = {name: self._progress.counts[name] for name in COUNTS}
        whole = () if self._request.sample is not None else self._stores.ids()
        if self._request.store is not None and whole:
            whole = [self._request.store]
        self._data.run(EndVerification(self._job, counts, tuple(whole)))
        self._metrics.verify_ended.set_to_current_time()
        return counts

    def _copies(self, after: int) -> Iterator[StoredCopy]:
        while page := self._data.run(ListCopies(after, PAGE)):
            yield from page
            after = page[-1].location.id or 0

    def _sample(self, size: int) -> frozenset[int]:
        """Return the ids of ``size`` copies; a run that is repeated chooses the same ones."""

        def drawn(number: int) -> bytes:
            return hashlib.sha256(f"{self._job.id} {number}".encode()).digest()

        numbers = (
            copy.location.id or 0 for copy in self._copies(0) if self._request.store in (None, self._store_of(copy))
        )
        return frozenset(heapq.nsmallest(size, numbers, key=drawn))

    def _store_of(self, copy: StoredCopy) -> str:
        if copy.location.store is not None:
            return copy.location.store
        try:
            return self._stores.for_location(copy.location.url).id
        except store_errors.StoreError:
            return "unknown"

    def _read(self, copy: StoredCopy, store: str) -> None:
        before = self._pace.passed
        with self._buffers.share(TRANSFER, self._control.check):
            fault = examine(self._stores, copy, self._pace.watch)
        self._count("copies")
        self._count("bytes", self._pace.passed - before)
        self._metrics.verify_bytes.labels(store).inc(self._pace.passed - before)
        image = self._find(copy) if fault is not None else None
        if fault is None or image is None:
            # Without an image it was deleted or replaced while it was read.
            self._metrics.verify_copies.labels(store, "good" if fault is None else "gone").inc()
            if fault is None:
                self._count("good" if copy.expected.digests else "unhashed")
            return
        self._metrics.verify_copies.labels(store, fault.kind).inc()
        self._count(fault.kind)
        self._record(self._handled(image, copy, store, fault))

    def _find(self, copy: StoredCopy) -> Image | None:
        """Return the image if it still has its data at the location of the copy."""
        try:
            image = self._data.run(LoadImage(copy.image_id, of_deleted=True))
        except NotFound:
            return None
        place = copy.location.id, copy.location.url
        return image if any((each.id, each.url) == place for each in image.locations) else None

    def _handled(self, image: Image, copy: StoredCopy, store: str, fault: Fault) -> Finding:
        """Repair the copy if that is wanted, and return the finding."""
        state, reason = FOUND, fault.reason
        if self._request.repairs and fault.kind in (MISSING, DAMAGED):
            name = self._repair.name_for(copy)
            self._progress.draft = {"image": image.id, "owner": image.owner, "store": store, "name": name}
            self._save()
            try:
                with self._buffers.share(TRANSFER, self._control.check):
                    reason = f"{reason} {self._repair.repair(image, copy)}"
            except NotRepaired as error:
                reason = f"{reason} Not repaired: {error}"
            else:
                state = REPAIRED
                self._count(REPAIRED)
            self._metrics.verify_repairs.labels(store, "done" if state == REPAIRED else "failed").inc()
            self._progress.draft = {}
        subject = f"{image.id}/{copy.location.id}"
        return Finding(store, subject, fault.kind, state, reason, image_id=image.id, size=copy.expected.size)

    def _search(self, store: Store) -> None:
        try:
            for unknown in find_unknown(self._data, store, self._settings.safe_age, self._control.check):
                self._count(UNKNOWN)
                self._record(self._kept_or_removed(store, unknown))
        except store_errors.StoreError as error:
            LOG.warning("The objects of store %s could not be listed: %s", store.id, error)

    def _kept_or_removed(self, store: Store, unknown: UnknownObject) -> Finding:
        state, reason = FOUND, unknown.keep or "It may be deleted."
        if self._request.removes_unknown and unknown.keep is None and is_still_unknown(self._data, unknown):
            try:
                with suppress(store_errors.NotFound):
                    store.delete(unknown.found.location)
                state, reason = REMOVED, "It was deleted."
                self._count(REMOVED)
            except store_errors.StoreError as error:
                reason = f"It could not be deleted: {error}"
        found = unknown.found
        name = found.name[:255]
        return Finding(store.id, name, UNKNOWN, state, reason, unknown.image_id, name, found.size)

    def _record(self, finding: Finding) -> None:
        self._metrics.verify_findings.labels(finding.store, finding.kind).inc()
        LOG.warning(
            "Store %s: %s %s (%s): %s", finding.store, finding.kind, finding.subject, finding.state, finding.reason
        )
        if not self._data.run(RecordFindings((finding,), self._settings.most_findings)):
            LOG.warning("The finding is not recorded: there are max_findings already.")
        self._control.check()

    def _count(self, name: str, by: int = 1) -> None:
        self._progress.counts[name] += by

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved_at >= self._save_seconds:
            self._save()

    def _save(self) -> None:
        done = self._progress.counts["copies"]
        self._control.checkpoint(self._progress.as_checkpoint(), f"Read {done} of {self._total} copies")
        self._saved_at = time.monotonic()


def _remove_draft(repair: Repair, progress: _Progress) -> None:
    if draft := progress.draft:
        image_id, store, name = str(draft["image"]), str(draft["store"]), str(draft["name"])
        repair.discard(image_id, draft["owner"], store, name)
        progress.draft = {}
