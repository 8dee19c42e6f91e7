"""How data gets into the staging area and what is left when it does not."""

from collections.abc import Iterator
from typing import Any, cast

import testtools

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import ClientGone, Gone, LimitExceeded, StatusConflict, TransferLost, Unavailable
from glance_mini.domain.image import Image
from glance_mini.domain.quota import Limits
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.domain.transfer import DataRemoval
from glance_mini.layers.location.imports import ImportRules
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations import images
from glance_mini.operations.imports import StageData
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store import errors as store_errors
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from tests.unit.content import disk_images as disks
from tests.unit.layers.location.case import raising
from tests.unit.layers.location.stores import FailingDriver
from tests.unit.layers.support import OWNER, count, stand

DATA = b"0123456789"
QUEUED = make_image(status="queued", size=None, locations=(), disk_format=None, container_format=None)
STAGED = make_image(status="uploading", size=10, locations=())
TRANSFER_ID = "7d9a4f0e-0000-4000-8000-000000000000"
HERE = f"memory://{STAGING_STORE}/{IMAGE_ID}-7d9a4f0e"
OURS = "https://node1"


class StagingCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.driver = FailingDriver(STAGING_STORE)
        self.stores = Stores(
            [Store(FailingDriver("fast"), "fast", is_default=True), Store(self.driver, STAGING_STORE, reserved=True)]
        )

    def stand(self, **answers_with: Any) -> Stack:
        self.metrics = Metrics()
        self.leases = LeaseKeeper(cast(DataAccess, None), 60)
        rules = ImportRules(node_url=OURS)
        layer = LocationLayer(self.stores, self.leases, self.metrics, rules=rules)
        stack, self.recorder = stand(layer, **answers_with)
        return stack

    def only(self, operation: str) -> Any:
        (found,) = [op for op in self.recorder.seen if op.name == operation]
        return found


class TestStaging(StagingCase):
    def stage(self, chunks: Any = (DATA,), image: Image = QUEUED, answers: Any = None, **values: Any) -> Any:
        stack = self.stand(**{"record_staged": STAGED, **(answers or {})})
        return stack.call(OWNER, StageData(IMAGE_ID, image, chunks, **{"transfer_id": TRANSFER_ID, **values}))

    def fails(self, error: type[Exception], *arguments: Any, **values: Any) -> None:
        self.assertRaises(error, self.stage, *arguments, **values)
        self.assertEqual(frozenset(), self.leases.held())

    def test_what_was_staged_is_recorded_with_its_place(self) -> None:
        limits = Limits({"image_stage_total": 5})
        self.assertEqual(STAGED, self.stage((DATA[:4], DATA[4:]), size=10, limits=limits))
        self.assertEqual(["begin_transfer", "record_staged"], self.recorder.names)
        begun, recorded = self.only("begin_transfer"), self.only("record_staged")
        self.assertEqual((limits, True, self.leases.lease), (begun.limits, begun.to_staging, begun.lease))
        transfer = begun.transfer
        self.assertEqual((STAGING_STORE, "p1", 10), (transfer.store, transfer.project_id, transfer.reserved))
        self.assertEqual(transfer, recorded.transfer)
        staged = recorded.staged
        self.assertEqual((IMAGE_ID, STAGING_STORE, HERE), (staged.image_id, staged.store, staged.url))
        self.assertEqual((10, OURS), (staged.size, staged.node_url))
        self.assertEqual(DATA, b"".join(self.driver.read(HERE)))
        self.assertEqual(10, count(self.metrics.bytes_received))

    def test_staged_data_is_not_judged_yet(self) -> None:
        image = make_image(status="queued", disk_format="raw", container_format="bare")
        self.stage((disks.qcow2(backing_file="/etc/passwd"),), image)
        self.assertTrue(self.driver.holds(HERE))

    def test_only_a_queued_image_takes_data(self) -> None:
        for status in ("uploading", "saving", "importing", "active", "deactivated"):
            self.fails(StatusConflict, image=make_image(status=status))
            self.assertEqual([], self.recorder.names)

    def test_what_goes_wrong_while_data_flows_leaves_nothing(self) -> None:
        def broken(error: Exception) -> Iterator[bytes]:
            yield DATA
            raise error

        table: list[tuple[type[Exception], dict[str, Any]]] = [
            (ClientGone, {"chunks": broken(ClientGone(reason="gone"))}),
            (LimitExceeded, {"chunks": broken(LimitExceeded(resource="x", limit=1, wanted=2))}),
            (store_errors.SizeMismatch, {"size": 11}),
        ]
        for error, values in table:
            self.fails(error, **values)
            self.assertEqual(["begin_transfer", "abort_transfer"], self.recorder.names)
            self.assertFalse(self.driver.holds(HERE))

    def test_a_full_staging_area_leaves_nothing(self) -> None:
        self.driver.fails["write"] = lambda: store_errors.StorageFull(reason="disk")
        self.fails(store_errors.StorageFull)
        self.assertEqual(["begin_transfer", "abort_transfer"], self.recorder.names)
        self.assertEqual(1, count(self.metrics.store_failures, STAGING_STORE))

    def test_data_that_was_not_recorded_is_removed(self) -> None:
        for error in (Gone(kind="image", id=IMAGE_ID), TransferLost(id=TRANSFER_ID)):
            self.fails(type(error), answers={"record_staged": raising(error)})
            self.assertEqual(["begin_transfer", "record_staged", "abort_transfer"], self.recorder.names)
            self.assertFalse(self.driver.holds(HERE))

    def test_data_that_may_have_been_recorded_stays(self) -> None:
        self.fails(Unavailable, answers={"record_staged": raising(Unavailable(reason="no database"))})
        self.assertEqual(["begin_transfer", "record_staged"], self.recorder.names)
        self.assertTrue(self.driver.holds(HERE))


class TestDeletion(StagingCase):
    def delete(self, image: Image, *pending: DataRemoval, **answers_with: Any) -> list[str]:
        answers = {"delete_image": make_image(status="deleted"), "list_removals": pending, **answers_with}
        self.stand(**answers).call(OWNER, images.DeleteImage(IMAGE_ID, image))
        return self.recorder.names

    def staged(self, host: str | None) -> DataRemoval:
        url = self.driver.put(f"{IMAGE_ID}-7d9a4f0e", DATA)
        return DataRemoval(1, IMAGE_ID, url, {"store": STAGING_STORE}, host)

    def test_staged_data_goes_with_its_image(self) -> None:
        for host in (OURS, None):
            for status in ("uploading", "importing"):
                names = self.delete(make_image(status=status, locations=()), self.staged(host))
                self.assertEqual(["delete_image", "list_removals", "finish_removal"], names)
                self.assertFalse(self.driver.holds(HERE))

    def test_data_on_the_disk_of_another_node_is_left_to_that_node(self) -> None:
        names = self.delete(STAGED, self.staged("https://node2"))
        self.assertEqual(["delete_image", "list_removals"], names)
        self.assertTrue(self.driver.holds(HERE))

    def test_data_that_may_be_wanted_back_stays(self) -> None:
        names = self.delete(make_image(), delete_image=make_image(status="pending_delete"))
        self.assertEqual(["delete_image"], names)
