"""What the tests of the reaper have in common: a database, two stores, and a clock."""

from datetime import datetime, timedelta

import testtools

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.domain.image import Image
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL
from glance_mini.domain.transfer import Transfer
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.maintenance.reaper import Reaper
from glance_mini.metrics import Metrics
from glance_mini.operations.records import (
    BeginTransfer,
    CountUsage,
    LoadImage,
)
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image
from glance_mini.testing.timed import TimedAccess
from glance_mini_store.stores import Stores
from tests.unit.layers.location.stores import FailingDriver, multi_store
from tests.unit.layers.support import make_database

LEASE = timedelta(seconds=60)
WAIT = 10.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = TIME

    def __call__(self) -> datetime:
        return self.now

    def move(self, step: timedelta) -> None:
        self.now += step


class DatabaseCase(testtools.TestCase):
    """Has a database, a store that fails when it is told to, and a clock that the test moves."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.data = TimedAccess(self.open_database(), self.clock)
        self.driver = FailingDriver("a")
        self.stores = multi_store(a=self.driver)
        self.metrics = Metrics()
        self.leases = self.make_leases()

    def open_database(self) -> SqlDataAccess:
        return make_database(self)

    def make_leases(self) -> LeaseKeeper:
        return LeaseKeeper(self.data, 60)

    def make_reaper(
        self, leases: LeaseKeeper | None = None, stores: Stores | None = None, node_url: str | None = None
    ) -> Reaper:
        return Reaper(self.data, stores or self.stores, leases or self.leases, self.metrics, 20, node_url)

    def begin(
        self, image_id: str = IMAGE_ID, leases: LeaseKeeper | None = None, store: str = "a", node_url: str | None = None
    ) -> Transfer:
        """Return a transfer of a new image that another process, or that of ``leases``, has begun."""
        image = make_image(id=image_id, status="queued", size=None, locations=())
        self.data.run(creation(image))
        holder = leases or self.make_leases()
        transfer = Transfer(
            id=f"transfer-{image_id[:8]}",
            image_id=image_id,
            project_id="p1",
            process=holder.process,
            store=store,
            name=image_id,
            reserved=10,
            node_url=node_url,
        )
        self.data.run(BeginTransfer(transfer, LEASE))
        return transfer

    def image(self, image_id: str = IMAGE_ID) -> Image:
        return self.data.run(LoadImage(image_id))

    def usage(self) -> tuple[int, int]:
        found = self.data.run(CountUsage("p1"))
        return found[IMAGE_SIZE_TOTAL], found[IMAGE_COUNT_UPLOADING]

    def die(self) -> None:
        """Let so much time pass that leases which are not renewed have ended."""
        self.clock.move(LEASE + timedelta(seconds=1))
