"""Images, transfers and a clock for the contract."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from glance_mini.db.interface import DataAccess
from glance_mini.domain.changes import Change
from glance_mini.domain.image import Image, Location
from glance_mini.domain.query import Scope
from glance_mini.domain.quota import NO_LIMITS
from glance_mini.domain.transfer import StoredData, Transfer

NOW = datetime(2026, 5, 4, 3, 2, 1, 123456)
LATER = NOW + timedelta(hours=1)
MUCH_LATER = NOW + timedelta(days=100)
MINE = Scope("mine")
THEIRS = Scope("theirs")
NOBODY = Scope()


class ContractBase:
    """Gives each test ``data``, the implementation that ``open_data_access`` opens on an empty database."""

    data: DataAccess

    def open_data_access(self) -> DataAccess:
        """Return the implementation, whose tables exist and are empty; the test closes it."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the implementation."""
        super().setUp()
        self.data = self.open_data_access()
        self.addCleanup(self.data.close)

    def create(self, **values: Any) -> Image:
        """Create an image of the project ``mine`` and return it."""
        return self.data.create_image(sample(**values), NO_LIMITS)

    def begin(self, image: Image, **values: Any) -> Transfer:
        """Begin a transfer to ``image`` and return it."""
        begun = transfer(image, **values)
        self.data.begin_transfer(begun, NOW, NO_LIMITS)
        return begun

    def change(self, image: Image, *changes: Change) -> Image:
        """Apply ``changes`` to the image an hour later and return it."""
        return self.data.update_image(image.id, changes, LATER, NO_LIMITS)


def sample(**values: Any) -> Image:
    """Return a queued image of the project ``mine`` with both formats."""
    defaults = {
        "id": str(uuid4()),
        "created_at": NOW,
        "updated_at": NOW,
        "owner": "mine",
        "disk_format": "raw",
        "container_format": "bare",
    }
    return Image(**{**defaults, **values})


def stored(**values: Any) -> Image:
    """Return an active image of 100 bytes in one place."""
    return sample(**{"status": "active", "size": 100, "locations": (location(),), **values})


def location(name: str = "a", store: str = "file") -> Location:
    """Return a location in ``store``."""
    return Location(f"file:///images/{name}", {"store": store})


def transfer(image: Image, **values: Any) -> Transfer:
    """Return a transfer to ``image`` by the process ``first`` that reserves 1,000 bytes."""
    defaults: dict[str, Any] = {
        "id": str(uuid4()),
        "image_id": image.id,
        "project_id": image.owner,
        "process": "first",
        "store": "file",
        "name": image.id,
        "reserved": 1000,
        "started_at": NOW,
        "lease_until": NOW + timedelta(seconds=60),
    }
    return Transfer(**{**defaults, **values})


def data_of(size: int = 700) -> StoredData:
    """Return what an upload of ``size`` bytes leaves."""
    return StoredData(location("data"), size, 2 * size, "c" * 32, "sha512", "d" * 128)
