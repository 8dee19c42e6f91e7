"""What the tests of jobs, staging, imports and stored events have in common."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import uuid4

from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY
from glance_mini.domain.job import Job, JobLimits
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.operations.jobs import AddJob, ClaimJob
from glance_mini.operations.records import BeginImport, BeginTransfer, CountUsage, LoadImage, RecordImport, RecordStaged
from glance_mini.testing.data_access.samples import LEASE, NOW, ContractBase, transfer

SOON = NOW + timedelta(seconds=30)
LEASE_END = NOW + LEASE
AFTER_LEASE = NOW + timedelta(minutes=2)
EXPIRY = NOW + timedelta(hours=48)

KINDS = ("api_image_import", "hash")
UNLIMITED = JobLimits()
STAGING = "os_glance_staging_store"


class JobContractBase(ContractBase):
    """What tests of jobs, staging, imports and stored events have in common."""

    def image(self, image: Image) -> Image:
        """Return the image as it is now."""
        return self.data.run(LoadImage(image.id))

    def add(self, **values: object) -> Job:
        """Add a job and return it."""
        return self.insert_job(job(**values))

    def insert_job(self, one: Job) -> Job:
        """Add ``one`` at the time that it names as its creation and return it."""
        assert one.created_at is not None
        assert one.due_at is not None
        return self.data.run(AddJob(one, one.due_at - one.created_at), one.created_at)

    def try_claim(
        self,
        process: str = "worker",
        now: datetime = NOW,
        limits: JobLimits = UNLIMITED,
        kinds: tuple[str, ...] = KINDS,
        node_url: str | None = None,
    ) -> Job | None:
        """Claim a job until one minute after ``now``; None if there is none."""
        return self.data.run(ClaimJob(process, kinds, LEASE, limits, node_url), now)

    def claim(
        self,
        process: str = "worker",
        now: datetime = NOW,
        limits: JobLimits = UNLIMITED,
        kinds: tuple[str, ...] = KINDS,
        node_url: str | None = None,
    ) -> Job:
        """Claim a job as ``try_claim`` does; the test fails if there is none."""
        claimed = self.try_claim(process, now, limits, kinds, node_url)
        assert claimed is not None, "there is no job to claim"
        return claimed

    def begin_staging(self, image: Image, limits: Limits = NO_LIMITS, **values: object) -> Transfer:
        """Begin a transfer into the staging area and return it."""
        begun = staging(image, **values)
        self.data.run(BeginTransfer(begun, LEASE, limits, to_staging=True), NOW)
        return begun

    def stage(self, image: Image, size: int = 700, **values: object) -> StagedData:
        """Stage data of an image and return what is known of it."""
        begun = self.begin_staging(image)
        data = staged(image, size, **values)
        self.data.run(RecordStaged(begun, data), NOW)
        return data

    def begin_import(self, image: Image, now: datetime = NOW, limits: Limits = NO_LIMITS, **values: object) -> Job:
        """Begin an import of two stores and return its job."""
        begun = job(image_id=image.id, due_at=now, updated_at=now, **values)
        expect = image.status
        status = "active" if expect == "active" else "importing"
        self.data.run(BeginImport(begun, expect, status, progress(begun), limits), now)
        return begun

    def start_import(self, image: Image) -> Job:
        """Begin an import and return its job as a worker holds it."""
        begun = self.begin_import(image)
        claimed = self.claim()
        self.assertEqual(begun.id, claimed.id)
        return claimed

    def record(
        self,
        held: Job,
        data: StoredData,
        status: str | None = None,
        properties: Mapping[str, str] = MappingProxyType({}),
        limits: Limits = NO_LIMITS,
    ) -> Image:
        """Record imported data and return the image."""
        return self.data.run(RecordImport(held, data, properties, status, limits), SOON)

    def used(self, resource: str) -> int:
        """Return how much of a resource the project ``mine`` uses."""
        return self.data.run(CountUsage("mine"))[resource]


def job(**values: object) -> Job:
    """Return a pending job that is due."""
    due = Job(
        id=str(uuid4()),
        kind="api_image_import",
        created_at=NOW,
        updated_at=NOW,
        due_at=NOW,
        project_id="mine",
        user_id="me",
        request_id="req-1",
        roles=("member",),
        is_admin=True,
        service_roles=("service",),
        user_domain_id="users",
        project_domain_id="projects",
        domain_id="domain",
        system_scope="all",
        input={"import_req": {"method": {"name": "web-download", "uri": "https://example.com/ü"}}},
        token="secret",
    )
    return with_fields(due, **values)


def progress(begun: Job) -> dict[str, str]:
    """Return the properties that an import of two stores begins with."""
    return {TASK_PROPERTY: begun.id, IMPORTING_PROPERTY: "fast,cheap", FAILED_PROPERTY: ""}


def staging(image: Image, **values: object) -> Transfer:
    """Return a transfer into the staging area that reserves 1,000 bytes."""
    return transfer(image, **{"store": STAGING, **values})


def staged(image: Image, size: int = 700, **values: object) -> StagedData:
    """Return staged data of an image."""
    data = StagedData(image.id, STAGING, f"file:///staging/{image.id}", size, None, NOW)
    return with_fields(data, **values)


def data_in(store: str, size: int = 700, **values: object) -> StoredData:
    """Return what the writing of ``size`` bytes leaves in a store."""
    place = Location(f"file:///{store}/data", {"store": store})
    return with_fields(StoredData(place, size, 2 * size, "c" * 32, "sha512", "d" * 128), **values)
