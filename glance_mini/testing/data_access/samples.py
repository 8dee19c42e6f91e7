"""What the tests of the contract have in common: an open backend, images, transfers and times."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from glance_mini.db.interface import DataAccess, EventRules, no_events
from glance_mini.domain import errors
from glance_mini.domain.changes import Change
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image, Location
from glance_mini.domain.query import Scope
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.operations.images import CreateImage, UpdateImage
from glance_mini.operations.records import BeginTransfer

if TYPE_CHECKING:
    from testtools import TestCase as _Base
else:
    _Base = object

A = TypeVar("A")
B = TypeVar("B")

LEASE = timedelta(seconds=60)

NOW = datetime(2026, 5, 4, 3, 2, 1, 123456)
LATER = NOW + timedelta(hours=1)
MUCH_LATER = NOW + timedelta(days=100)
MINE = Scope("mine")
THEIRS = Scope("theirs")
NOBODY = Scope()


class ContractBase(_Base):
    """Gives each test ``data``, the backend that ``open_data_access`` opens on an empty database."""

    data: DataAccess

    def open_data_access(self, event_rules: EventRules = no_events) -> DataAccess:
        """Return a backend that stores the events of ``event_rules``; the test closes it.

        The tables exist. They are empty at the first call of a test; a further call gives the same database.
        """
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the backend."""
        super().setUp()
        self.data = self.open_data_access()
        self.addCleanup(self.data.close)

    def insert(self, image: Image, limits: Limits = NO_LIMITS) -> Image:
        """Create ``image`` as it is and return it; only ``updated_at`` is that of its creation."""
        return self.data.run(creation(image, limits), image.created_at)

    def create(self, **values: object) -> Image:
        """Create an image of the project ``mine`` and return it."""
        return self.insert(sample(**values))

    def begin(
        self, image: Image, started_at: datetime = NOW, lease_until: datetime | None = None, **values: object
    ) -> Transfer:
        """Begin a transfer to ``image`` and return it; its lease lasts until ``lease_until`` or for ``LEASE``."""
        until = lease_until or started_at + LEASE
        begun = transfer(image, **values)
        self.data.run(BeginTransfer(begun, until - started_at), started_at)
        return replace(begun, started_at=started_at, lease_until=until)

    def change(self, image: Image, *changes: Change) -> Image:
        """Apply ``changes`` to the image an hour later, as a caller who has read it as ``image``, and return it."""
        return self.data.run(UpdateImage(image.id, image, changes), LATER)

    def at_once(self, call: Callable[[A], B], arguments: Iterable[A]) -> list[B | errors.GlanceMiniError]:
        """Return what the calls return, or the service's errors that they raise; Unavailable fails the test."""

        def attempt(argument: A) -> B | errors.GlanceMiniError:
            try:
                return call(argument)
            except errors.Unavailable:
                raise
            except errors.GlanceMiniError as error:
                return error

        return self.all_at_once(attempt, arguments)

    def all_at_once(self, call: Callable[[A], B], arguments: Iterable[A]) -> list[B]:
        """Return what the calls return; any error fails the test."""
        each = list(arguments)
        with ThreadPoolExecutor(len(each)) as pool:
            return list(pool.map(call, each))


def creation(image: Image, limits: Limits = NO_LIMITS) -> CreateImage:
    """Return the call that creates ``image`` as it is, but for its times."""
    left_out = {"id", "created_at", "updated_at", "deleted_at", "properties", "locations", "tags"}
    base = {field.name: getattr(image, field.name) for field in fields(image) if field.name not in left_out}
    return CreateImage(image.id, {**base, "tags": list(image.tags)}, image.properties, limits, image.locations)


def sample(**values: object) -> Image:
    """Return a queued image of the project ``mine`` with both formats."""
    image = Image(str(uuid4()), NOW, NOW, owner="mine", disk_format="raw", container_format="bare")
    return with_fields(image, **values)


def stored(**values: object) -> Image:
    """Return an active image of 100 bytes in one place."""
    return sample(**{"status": "active", "size": 100, "locations": (location(),), **values})


def location(name: str = "a", store: str = "file") -> Location:
    """Return a location in ``store``."""
    return Location(f"file:///images/{name}", {"store": store})


def transfer(image: Image, **values: object) -> Transfer:
    """Return a transfer to ``image`` by the process ``first`` that reserves 1,000 bytes."""
    begun = Transfer(
        id=str(uuid4()),
        image_id=image.id,
        project_id=image.owner,
        process="first",
        store="file",
        name=image.id,
        reserved=1000,
    )
    return with_fields(begun, **values)


def data_of(size: int = 700) -> StoredData:
    """Return what an upload of ``size`` bytes leaves."""
    return StoredData(location("data"), size, 2 * size, "c" * 32, "sha512", "d" * 128)
