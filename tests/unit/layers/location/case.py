"""What the tests of the location layer have in common."""

from collections.abc import Callable
from typing import Any, cast

import testtools

from glance_mini.content.hashes import ImageHashes
from glance_mini.content.inspection import InspectionRules
from glance_mini.content.signatures import Certificates, no_certificates
from glance_mini.db.interface import DataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.image import Location
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations.base import Operation
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store.stores import Stores
from tests.unit.layers.support import stand

DATA = b"0123456789abcdefghij"
QUEUED = make_image(status="queued", size=None, locations=())
DELETED = make_image(status="deleted", locations=())
NOTHING_LEFT = ["begin_transfer", "abort_transfer"]
TRANSFER_ID = "7d9a4f0e-0000-4000-8000-000000000000"
NAME = f"{IMAGE_ID}-7d9a4f0e"
HERE = f"memory://default/{NAME}"
RECORDED = make_image(size=len(DATA), locations=(Location(HERE),))


def raising(error: Exception) -> Callable[[Context, Operation], None]:
    """Return an answer that raises."""

    def answer(context: Context, op: Operation) -> None:
        raise error

    return answer


class LocationCase(testtools.TestCase):
    """Has the location layer alone, with a recorder below it."""

    certificates: Certificates = staticmethod(no_certificates)

    def stand(self, stores: Stores, *, changeable: bool = False, **answers_with: Any) -> Stack:
        self.metrics = Metrics()
        self.leases = LeaseKeeper(cast(DataAccess, None), 60)
        rules, certificates = InspectionRules(), self.certificates
        layer = LocationLayer(
            stores, self.leases, self.metrics, ImageHashes("sha256"), rules, changeable, certificates=certificates
        )
        stack, self.recorder = stand(layer, **{"delete_image": DELETED, **answers_with})
        return stack

    def only(self, operation: str) -> Any:
        """Return the one operation of that name which arrived below."""
        (found,) = [op for op in self.recorder.seen if op.name == operation]
        return found
