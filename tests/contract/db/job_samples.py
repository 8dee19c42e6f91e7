"""Jobs, staged data and events for the contract of jobs, staging, imports and outbox."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from glance_mini.db.factory import Access
from glance_mini.domain import errors
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY
from glance_mini.domain.job import Job, JobLimits
from glance_mini.domain.query import EVERYTHING
from glance_mini.domain.quota import NO_LIMITS
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from tests.contract.db.samples import NOW, sample, transfer

SOON = NOW + timedelta(seconds=30)
LEASE = NOW + timedelta(minutes=1)
LAPSED = NOW + timedelta(minutes=2)
EXPIRY = NOW + timedelta(hours=48)

KINDS = ("api_image_import", "hash")
UNLIMITED = JobLimits()
STAGING = "os_glance_staging_store"


class JobContractBase:
    """Gives each test ``data``, ``jobs`` and ``outbox``, which ``open_access`` opens on an empty database."""

    def open_access(self) -> Access:
        """Return the implementation, whose tables exist and are empty; the test closes it."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()
        access = self.open_access()
        self.data, self.jobs, self.outbox = access.data, access.jobs, access.outbox
        self.addCleanup(self.data.close)

    def create(self, **values: Any) -> Image:
        """Create an image of the project ``mine`` and return it."""
        return self.data.create_image(sample(**values), NO_LIMITS)

    def image(self, image: Image) -> Image:
        """Return the image as it is now."""
        return self.data.get_image(image.id, EVERYTHING)

    def add(self, **values: Any) -> Job:
        """Add a job and return it."""
        return self.jobs.add_job(job(**values))

    def claim(self, process: str = "worker", now: datetime = NOW, limits: JobLimits = UNLIMITED, **values: Any) -> Any:
        """Claim a job until one minute after ``now``."""
        kinds, host = values.get("kinds", KINDS), values.get("host")
        return self.jobs.claim_job(process, kinds, now, now + timedelta(minutes=1), limits, host)

    def stage(self, image: Image, size: int = 700, **values: Any) -> StagedData:
        """Stage data of an image and return what is known of it."""
        begun = staging(image)
        self.jobs.begin_staging(begun, NOW, NO_LIMITS)
        data = staged(image, size, **values)
        self.jobs.record_staged(begun, data, NOW)
        return data

    def begin_import(self, image: Image, now: datetime = NOW, **values: Any) -> Job:
        """Begin an import of two stores and return its job."""
        limits = values.pop("limits", NO_LIMITS)
        begun = job(image_id=image.id, due_at=now, updated_at=now, **values)
        expect = image.status
        status = "active" if expect == "active" else "importing"
        self.jobs.begin_import(begun, expect, status, progress(begun), now, limits)
        return begun

    def start_import(self, image: Image, **values: Any) -> Job:
        """Begin an import and return its job as a worker holds it."""
        begun = self.begin_import(image, **values)
        claimed = self.claim()
        self.assertEqual(begun.id, claimed.id)
        return claimed

    def record(self, held: Job, data: StoredData, status: str | None = None, **values: Any) -> Image:
        """Record imported data and return the image."""
        properties = values.get("properties", {})
        return self.jobs.record_import(held, data, properties, status, SOON, values.get("limits", NO_LIMITS))

    def used(self, resource: str) -> int:
        """Return how much of a resource the project ``mine`` uses."""
        return self.data.get_usage("mine")[resource]

    def at_once(self, call: Any, arguments: Any) -> list[Any]:
        """Return what the calls return, or the service's errors that they raise."""

        def attempt(argument: Any) -> Any:
            try:
                return call(argument)
            except errors.GlanceMiniError as error:
                return error

        with ThreadPoolExecutor(len(arguments)) as pool:
            return list(pool.map(attempt, arguments))


def job(**values: Any) -> Job:
    """Return a pending job that is due."""
    defaults: dict[str, Any] = {
        "id": str(uuid4()),
        "kind": "api_image_import",
        "created_at": NOW,
        "updated_at": NOW,
        "due_at": NOW,
        "project_id": "mine",
        "user_id": "me",
        "request_id": "req-1",
        "roles": ("member",),
        "input": {"import_req": {"method": {"name": "web-download", "uri": "https://example.com/ü"}}},
        "token": "secret",
    }
    return Job(**{**defaults, **values})


def progress(begun: Job) -> dict[str, str]:
    """Return the properties that an import of two stores begins with."""
    return {TASK_PROPERTY: begun.id, IMPORTING_PROPERTY: "fast,cheap", FAILED_PROPERTY: ""}


def staging(image: Image, **values: Any) -> Transfer:
    """Return a transfer into the staging area that reserves 1,000 bytes."""
    return transfer(image, **{"store": STAGING, **values})


def staged(image: Image, size: int = 700, **values: Any) -> StagedData:
    """Return staged data of an image."""
    data = StagedData(image.id, STAGING, f"file:///staging/{image.id}", size, None, NOW)
    return replace(data, **values)


def data_in(store: str, size: int = 700, **values: Any) -> StoredData:
    """Return what the writing of ``size`` bytes leaves in a store."""
    place = Location(f"file:///{store}/data", {"store": store})
    return replace(StoredData(place, size, 2 * size, "c" * 32, "sha512", "d" * 128), **values)
