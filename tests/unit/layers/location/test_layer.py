"""How the data of images gets into stores, out of them and away."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import fixtures
import testtools

from glance_mini.content.inspection import InspectionRules
from glance_mini.content.signatures import Certificates, FetchCertificate, SignatureInvalid, no_certificates
from glance_mini.db.interface import DataAccess
from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    ClientGone,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    LimitExceeded,
    NotFound,
    RangeNotSatisfiable,
    StatusConflict,
    TransferLost,
    Unavailable,
    UnsafeContent,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.quota import Limits
from glance_mini.domain.transfer import DataRemoval
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations import data, images, info, members, records
from glance_mini.operations.base import Operation
from glance_mini.testing.recorder import Recorder
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image
from glance_mini_store import errors as store_errors
from glance_mini_store.drivers.file import FileDriver
from glance_mini_store.stores import Stores
from tests.unit.content import disk_images as disks
from tests.unit.content.signed import RSA_KEY, signed
from tests.unit.jobs.certificates import make_certificate
from tests.unit.layers.location.stores import (
    AclDriver,
    FailingDriver,
    ReadOnlyDriver,
    WebDriver,
    multi_store,
    one_store,
    unavailable,
)
from tests.unit.layers.support import ADMIN, OWNER, count, make_member, stand

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
    certificates: Certificates = staticmethod(no_certificates)

    def stand(self, stores: Stores, *, changeable: bool = False, **answers_with: Any) -> Stack:
        self.metrics = Metrics()
        self.leases = LeaseKeeper(cast(DataAccess, None), 60)
        rules, certificates = InspectionRules(), self.certificates
        layer = LocationLayer(stores, self.leases, self.metrics, "sha256", rules, changeable, certificates=certificates)
        stack, self.recorder = stand(layer, **{"delete_image": DELETED, **answers_with})
        return stack

    def only(self, operation: str) -> Any:
        """Return the one operation of that name which arrived below."""
        (found,) = [op for op in self.recorder.seen if op.name == operation]
        return found


class TestUploads(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.driver = FailingDriver()
        self.stores = one_store(self.driver)

    def upload(self, chunks: Any = (DATA,), image: Image = QUEUED, answers: Any = None, **values: Any) -> Any:
        stack = self.stand(self.stores, **{"record_data": RECORDED, **(answers or {})})
        return stack.call(OWNER, data.UploadData(IMAGE_ID, image, chunks, **{"transfer_id": TRANSFER_ID, **values}))

    def fails(self, error: type[Exception], *arguments: Any, **values: Any) -> str:
        text = str(self.assertRaises(error, self.upload, *arguments, **values))
        self.assertEqual(frozenset(), self.leases.held())
        self.assertEqual(0, count(self.metrics.transfers, "in"))
        return text

    def test_what_was_stored_is_recorded(self) -> None:
        result = self.upload((DATA[:7], DATA[7:]), limits=Limits({"image_size_total": 5}))
        self.assertEqual(RECORDED, result)
        self.assertEqual(["begin_transfer", "record_data"], self.recorder.names)
        stored = self.only("record_data").data
        self.assertEqual((Location(HERE), 20, 20), (stored.location, stored.size, stored.virtual_size))
        self.assertEqual(hashlib.md5(DATA).hexdigest(), stored.checksum)
        self.assertEqual(("sha256", hashlib.sha256(DATA).hexdigest()), (stored.os_hash_algo, stored.os_hash_value))
        self.assertEqual(DATA, b"".join(self.driver.read(HERE)))
        self.assertEqual(20, count(self.metrics.bytes_received))

    def test_the_transfer_says_who_writes_what_where(self) -> None:
        self.upload((DATA,), size=20, transfer_id="t1", limits=Limits({"image_size_total": 5}))
        begun = self.only("begin_transfer")
        transfer = begun.transfer
        self.assertEqual(Limits({"image_size_total": 5}), begun.limits)
        self.assertEqual(
            ("t1", IMAGE_ID, "p1", self.leases.process, "default", 20),
            (transfer.id, transfer.image_id, transfer.project_id, transfer.process, transfer.store, transfer.reserved),
        )
        self.assertEqual((timedelta(seconds=60), False), (begun.lease, begun.to_staging))
        self.assertEqual(transfer, self.only("record_data").transfer)

    def test_an_unknown_size_reserves_nothing_at_first(self) -> None:
        self.upload()
        self.assertEqual(0, self.only("begin_transfer").transfer.reserved)

    def test_no_byte_is_read_before_the_transfer_has_begun(self) -> None:
        def body() -> Iterator[bytes]:
            self.assertEqual(["begin_transfer"], self.recorder.names)
            transfer = self.only("begin_transfer").transfer
            self.assertEqual(frozenset({transfer.id}), self.leases.held())
            yield DATA

        self.upload(body())

    def test_an_empty_upload_is_legal(self) -> None:
        self.upload(())
        stored = self.only("record_data").data
        self.assertEqual((0, 0, hashlib.md5(b"").hexdigest()), (stored.size, stored.virtual_size, stored.checksum))

    def test_only_bare_data_is_inspected(self) -> None:
        self.upload((disks.qcow2(backing_file="/etc/passwd"),), make_image(status="queued", container_format="ova"))
        self.assertIsNone(self.only("record_data").data.virtual_size)

    def test_a_signature_is_looked_at_before_the_transfer_begins_and_its_data_before_it_is_published(self) -> None:
        asked: list[object] = []

        def certificates(token: str | None, project_id: str | None) -> FetchCertificate:
            asked.append((token, project_id))
            return lambda certificate_id: make_certificate(RSA_KEY)

        self.certificates = certificates
        caller = replace(OWNER, auth_token="tOkEn")
        image = replace(QUEUED, properties=signed(DATA, TRANSFER_ID))
        op = data.UploadData(IMAGE_ID, image, (DATA,), transfer_id=TRANSFER_ID)
        self.assertEqual(RECORDED, self.stand(self.stores, record_data=RECORDED).call(caller, op))
        self.assertEqual([("tOkEn", OWNER.project_id)], asked)
        self.fails(SignatureInvalid, (DATA[1:],), image)
        self.assertEqual(NOTHING_LEFT, self.recorder.names)
        self.fails(SignatureInvalid, (DATA,), replace(image, properties={**image.properties, "img_signature": ""}))
        self.assertEqual([], self.recorder.names)

    def test_data_goes_to_the_store_that_was_named_else_to_the_default_one(self) -> None:
        drivers = {"first": FailingDriver("first"), "second": FailingDriver("second")}
        self.stores = multi_store(**drivers)
        for named, store in ((None, "first"), ("first", "first"), ("second", "second")):
            self.upload(store=named)
            stored = self.only("record_data").data.location
            self.assertEqual(Location(f"memory://{store}/{NAME}", {"store": store}), stored)
            drivers[store].discard(NAME)

    def test_a_named_store_is_ignored_where_there_is_only_one(self) -> None:
        self.upload(store="anything")
        self.assertEqual(Location(HERE), self.only("record_data").data.location)

    def test_an_unknown_store_is_refused_before_anything_happens(self) -> None:
        self.stores = multi_store(first=self.driver)
        self.assertIn("nonesuch", self.fails(Invalid, store="nonesuch"))
        self.assertEqual([], self.recorder.names)

    def test_only_a_queued_image_with_both_formats_takes_data(self) -> None:
        table: list[tuple[dict[str, Any], type[Exception]]] = [
            ({"status": "queued", "disk_format": None}, Invalid),
            ({"status": "queued", "container_format": None}, Invalid),
            *(({"status": status}, StatusConflict) for status in ("active", "saving", "deactivated", "uploading")),
        ]
        for values, error in table:
            self.fails(error, image=make_image(**values))
            self.assertEqual([], self.recorder.names)

    def test_a_transfer_that_may_not_begin_writes_nothing(self) -> None:
        refusals = (
            StatusConflict(id=IMAGE_ID, status="saving", wanted="queued"),
            LimitExceeded(resource="x", limit=1, wanted=2),
            NotFound(kind="image", id=IMAGE_ID),
            Unavailable(reason="no database"),
        )
        for refusal in refusals:
            self.fails(type(refusal), answers={"begin_transfer": raising(refusal)})
            self.assertEqual(["begin_transfer"], self.recorder.names)
            self.assertFalse(self.driver.holds(HERE))

    def test_what_goes_wrong_while_data_flows_leaves_nothing(self) -> None:
        def broken(error: BaseException) -> Iterator[bytes]:
            yield DATA
            raise error

        table: list[tuple[type[BaseException], dict[str, Any]]] = [
            (ClientGone, {"chunks": broken(ClientGone(reason="gone"))}),
            (LimitExceeded, {"chunks": broken(LimitExceeded(resource="x", limit=1, wanted=2))}),
            (KeyboardInterrupt, {"chunks": broken(KeyboardInterrupt())}),
            (store_errors.SizeMismatch, {"chunks": (DATA,), "size": 21}),
            (store_errors.SizeMismatch, {"chunks": (DATA,), "size": 19}),
            (UnsafeContent, {"chunks": (disks.qcow2(backing_file="x"),)}),
            (UnsafeContent, {"image": make_image(status="queued", disk_format="qcow2")}),
        ]
        for error, values in table:
            self.fails(cast(type[Exception], error), **values)
            self.assertEqual(NOTHING_LEFT, self.recorder.names)
            self.assertEqual(self.only("begin_transfer").transfer, self.only("abort_transfer").transfer)
            self.assertFalse(self.driver.holds(HERE), error.__name__)

    def test_a_store_that_does_not_take_the_data_is_counted(self) -> None:
        for error in (
            store_errors.StorageFull(reason="disk"),
            store_errors.StorageWriteDenied(reason="read-only"),
            store_errors.StoreAddDisabled(),
        ):
            self.driver.fails["write"] = lambda error=error: error
            self.assertIn("store default", self.fails(type(error)))
            self.assertEqual(NOTHING_LEFT, self.recorder.names)
            self.assertEqual(1, count(self.metrics.store_failures, "default"))

    def test_an_abort_that_fails_does_not_hide_why(self) -> None:
        answers = {"abort_transfer": raising(Unavailable(reason="no database"))}
        self.driver.fails["write"] = lambda: store_errors.StorageFull(reason="disk")
        self.fails(store_errors.StorageFull, answers=answers)

    def test_data_whose_image_was_deleted_meanwhile_is_removed(self) -> None:
        self.fails(Gone, answers={"record_data": raising(Gone(kind="image", id=IMAGE_ID))})
        self.assertEqual(["begin_transfer", "record_data", "abort_transfer"], self.recorder.names)
        self.assertFalse(self.driver.holds(HERE))

    def test_data_of_a_transfer_that_another_process_took_over_is_removed(self) -> None:
        self.fails(TransferLost, answers={"record_data": raising(TransferLost(id="t1"))})
        self.assertFalse(self.driver.holds(HERE))

    def test_two_transfers_of_one_image_never_share_a_name(self) -> None:
        self.upload()
        first = self.only("begin_transfer").transfer.name
        self.upload(transfer_id="8e9a4f0e-0000-4000-8000-000000000000")
        self.assertNotEqual(first, self.only("begin_transfer").transfer.name)

    def test_data_that_may_have_been_recorded_stays_for_the_reaper_to_judge(self) -> None:
        self.fails(Unavailable, answers={"record_data": raising(Unavailable(reason="no database"))})
        self.assertEqual(["begin_transfer", "record_data"], self.recorder.names)
        self.assertTrue(self.driver.holds(HERE))

    def test_a_transfer_whose_data_could_not_be_removed_is_left_to_the_reaper(self) -> None:
        self.driver.fails["delete"] = unavailable
        self.fails(Gone, answers={"record_data": raising(Gone(kind="image", id=IMAGE_ID))})
        self.assertEqual(["begin_transfer", "record_data"], self.recorder.names)


class TestFiles(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.stores = one_store(FileDriver(str(self.folder)))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_an_upload_becomes_one_file_that_a_download_offers(self) -> None:
        stack = self.stand(self.stores, record_data=RECORDED)
        stack.call(OWNER, data.UploadData(IMAGE_ID, QUEUED, (DATA[:9], DATA[9:]), transfer_id=TRANSFER_ID))
        self.assertEqual([NAME], self.files())
        location = self.only("record_data").data.location
        image = make_image(size=len(DATA), locations=(location,))
        found = stack.call(OWNER, data.DownloadData(IMAGE_ID, image, first=4, last=7))
        self.assertEqual((4, DATA[4:8]), (found.chunks.file.tell(), found.chunks.file.read(4)))
        found.chunks.close()
        self.assertEqual(4, count(self.metrics.bytes_sent))

    def test_a_refused_upload_leaves_no_file(self) -> None:
        stack = self.stand(self.stores)
        unsafe = (disks.qcow2(features=0b100),)
        for values in ({"chunks": unsafe}, {"chunks": (DATA,), "size": 21}, {"chunks": (DATA,), "size": 19}):
            op = data.UploadData(IMAGE_ID, QUEUED, **values)
            self.assertRaises((UnsafeContent, store_errors.SizeMismatch), stack.call, OWNER, op)
            self.assertEqual([], self.files())


class TestDownloads(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {name: FailingDriver(name) for name in ("first", "second", "third")}
        self.locations = tuple(
            Location(driver.put(IMAGE_ID, DATA), {"store": name}) for name, driver in self.drivers.items()
        )
        self.image = make_image(size=len(DATA), locations=self.locations)
        self.weights: dict[str, int] = {}

    def download(self, image: Image | None = None, **values: Any) -> Any:
        stack = self.stand(multi_store(self.weights, **self.drivers))
        return stack.call(OWNER, data.DownloadData(IMAGE_ID, image or self.image, **values))

    def read(self, **values: Any) -> bytes:
        found = self.download(**values)
        got = b"".join(found.chunks)
        found.chunks.close()
        self.assertEqual(found.length, len(got))
        self.assertEqual(found.image, self.image)
        return got

    def read_from(self) -> list[str]:
        """Return the stores that were read from, in the order in which they were configured."""
        return [name for name, driver in self.drivers.items() if driver.reads]

    def test_a_range_gives_its_bytes(self) -> None:
        table: list[tuple[int | None, int | None, bytes]] = [
            (None, None, DATA),
            (0, 0, DATA[:1]),
            (3, 8, DATA[3:9]),
            (5, None, DATA[5:]),
            (5, 1000, DATA[5:]),
            (None, 4, DATA[-4:]),
            (None, 1000, DATA),
        ]
        for first, last, expected in table:
            self.assertEqual(expected, self.read(first=first, last=last), (first, last))

    def test_a_range_beyond_the_data_is_refused_before_a_store_is_asked(self) -> None:
        for first, last in ((20, None), (5, 2), (None, 0)):
            self.assertRaises(RangeNotSatisfiable, self.download, first=first, last=last)
        self.assertEqual([], self.read_from())

    def test_offset_and_length_come_with_the_data(self) -> None:
        found = self.download(first=3, last=8)
        self.assertEqual((3, 6), (found.offset, found.length))
        found.chunks.close()

    def test_the_store_with_the_most_weight_is_read_first(self) -> None:
        self.weights = {"first": -1, "second": 5, "third": 2}
        self.read()
        self.assertEqual(["second"], self.read_from())

    def test_stores_of_equal_weight_keep_the_order_of_the_locations(self) -> None:
        self.image = make_image(size=len(DATA), locations=self.locations[::-1])
        self.read()
        self.assertEqual(["third"], self.read_from())

    def test_preferred_stores_come_before_weight_and_the_rest_after(self) -> None:
        self.weights = {"first": 5}
        self.read(prefer=("third", "second"))
        self.assertEqual(["third"], self.read_from())
        for name in ("third", "second"):
            self.drivers[name].fails["read"] = unavailable
        self.assertEqual(DATA, self.read(prefer=("third", "second")))

    def test_a_preferred_store_without_the_data_is_no_mistake(self) -> None:
        self.image = make_image(size=len(DATA), locations=self.locations[:1])
        self.assertEqual(DATA, self.read(prefer=("second",)))

    def test_a_preferred_store_must_exist_and_there_must_be_several(self) -> None:
        self.assertIn("nonesuch", str(self.assertRaises(Invalid, self.download, prefer=("first", "nonesuch"))))
        stack = self.stand(one_store(FailingDriver()))
        self.assertRaises(Invalid, stack.call, OWNER, data.DownloadData(IMAGE_ID, self.image, prefer=("default",)))

    def test_a_store_that_cannot_be_opened_or_breaks_off_is_replaced_by_the_next(self) -> None:
        for position in (None, 0, 8):
            self.drivers["first"].fails["read"] = unavailable
            self.drivers["first"].break_at = position
            self.assertEqual(DATA, self.read())
            self.assertEqual(DATA[2:15], self.read(first=2, last=14))

    def test_an_image_without_data_has_none_to_give(self) -> None:
        for image in (make_image(status="queued", size=None, locations=()), make_image(size=4, locations=())):
            for values in ({}, {"first": 3, "last": None}):
                self.assertIsNone(self.download(image, **values))

    def test_data_that_is_in_no_store_is_none(self) -> None:
        for driver in self.drivers.values():
            driver.discard(IMAGE_ID)
        self.assertIsNone(self.download())
        self.assertEqual(0, count(self.metrics.transfers, "out"))

    def test_data_that_no_store_can_give_is_an_error(self) -> None:
        self.drivers["first"].fails["read"] = unavailable
        for name in ("second", "third"):
            self.drivers[name].discard(IMAGE_ID)
        self.assertRaises(store_errors.RemoteServiceUnavailable, self.download)

    def test_empty_data_is_data(self) -> None:
        empty = self.drivers["first"].put("empty", b"")
        self.image = make_image(size=0, locations=(Location(empty, {"store": "first"}),))
        self.assertEqual(b"", self.read())
        self.assertRaises(RangeNotSatisfiable, self.download, first=0, last=None)

    def test_running_downloads_and_their_bytes_are_counted(self) -> None:
        found = self.download()
        self.assertEqual(1, count(self.metrics.transfers, "out"))
        next(found.chunks)
        found.chunks.close()
        found.chunks.close()
        self.assertEqual((0, 4), (count(self.metrics.transfers, "out"), count(self.metrics.bytes_sent)))


class TestDeletion(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {"a": FailingDriver("a"), "b": FailingDriver("b")}
        self.locations = tuple(
            Location(driver.put(IMAGE_ID, DATA), {"store": name}) for name, driver in self.drivers.items()
        )
        self.image = make_image(locations=self.locations)
        self.pending = [
            DataRemoval(number, IMAGE_ID, location.url, location.metadata)
            for number, location in enumerate(self.locations, start=1)
        ]

    def delete(self, image: Image | None = None) -> Any:
        stack = self.stand(
            multi_store(**self.drivers), delete_image=make_image(status="deleted"), list_removals=self.pending
        )
        return stack.call(OWNER, images.DeleteImage(IMAGE_ID, image or self.image))

    def left(self) -> list[str]:
        return [name for name, driver in self.drivers.items() if driver.holds(f"memory://{name}/{IMAGE_ID}")]

    def finished(self) -> list[int]:
        return [op.removal_id for op in self.recorder.seen if isinstance(op, records.FinishRemoval)]

    def test_the_record_goes_before_the_bytes_and_the_bytes_before_their_rows(self) -> None:
        def see(context: Context, op: Operation) -> Image:
            order.append((op.name, self.left()))
            return DELETED

        order: list[tuple[str, list[str]]] = []
        stack = self.stand(
            multi_store(**self.drivers), delete_image=see, finish_removal=see, list_removals=self.pending
        )
        stack.call(OWNER, images.DeleteImage(IMAGE_ID, self.image))
        self.assertEqual([("delete_image", ["a", "b"]), ("finish_removal", ["b"]), ("finish_removal", [])], order)

    def test_the_deleted_image_is_the_result(self) -> None:
        self.assertEqual("deleted", self.delete().status)
        self.assertEqual(([1, 2], []), (self.finished(), self.left()))

    def test_an_image_without_data_asks_for_no_deletions(self) -> None:
        self.delete(QUEUED)
        self.assertEqual(["delete_image"], self.recorder.names)

    def test_a_record_that_stays_keeps_its_bytes(self) -> None:
        stack = self.stand(multi_store(**self.drivers), delete_image=raising(Forbidden(reason="protected")))
        self.assertRaises(Forbidden, stack.call, OWNER, images.DeleteImage(IMAGE_ID, self.image))
        self.assertEqual(["a", "b"], self.left())

    def test_bytes_that_are_gone_already_are_fine(self) -> None:
        self.drivers["a"].discard(IMAGE_ID)
        self.delete()
        self.assertEqual([1, 2], self.finished())

    def test_bytes_in_a_store_that_only_reads_are_not_ours_to_delete(self) -> None:
        self.drivers["a"] = ReadOnlyDriver("a")
        self.delete()
        self.assertEqual([1, 2], self.finished())

    def test_data_in_use_brings_the_image_back(self) -> None:
        self.drivers["b"].fails["delete"] = lambda: store_errors.InUseByStore(location=self.locations[1].url)
        error = self.assertRaises(Conflict, self.delete)
        self.assertIn("in use", str(error))
        self.assertEqual(self.image, self.only("undo_deletion").image)
        self.assertEqual([1], self.finished())

    def test_a_store_that_fails_is_left_to_the_reaper_and_holds_up_no_other(self) -> None:
        self.drivers["a"].fails["delete"] = unavailable
        self.assertEqual("deleted", self.delete().status)
        self.assertEqual(([2], ["a"]), (self.finished(), self.left()))


class TestLocations(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {"a": WebDriver("a"), "b": WebDriver("b")}
        self.stores = multi_store(**self.drivers)
        self.url = self.drivers["b"].put("new", DATA)

    def update(self, *changes: Any, image: Image | None = None, result: Image | None = None, **values: Any) -> Any:
        target = image or make_image()
        stack = self.stand(self.stores, changeable=True, update_image=result or target, **values)
        return stack.call(OWNER, images.UpdateImage(IMAGE_ID, target, changes))

    def add(self, url: str, **metadata: str) -> LocationChange:
        return LocationChange("add", None, (Location(url, metadata),))

    def test_locations_are_not_changed_where_the_operator_has_not_allowed_it(self) -> None:
        stack = self.stand(self.stores, update_image=make_image())
        for change in (self.add(self.url), LocationChange("remove", 0), LocationChange("replace")):
            op = images.UpdateImage(IMAGE_ID, make_image(), (change,))
            self.assertIn("show_multiple_locations", str(self.assertRaises(Forbidden, stack.call, OWNER, op)))
        stack.call(OWNER, images.UpdateImage(IMAGE_ID, make_image(), (PropertyChange("add", "a", "b"),)))
        self.assertEqual(["update_image"], self.recorder.names[:1])

    def test_users_name_what_a_driver_allows_them_and_administrators_and_services_all_of_it(self) -> None:
        disk = FailingDriver("rbd")
        disk.schemes = ("rbd",)  # type: ignore[misc]
        disk._prefix = "rbd://cluster/pool/volume/"
        snapshot = disk.put("snapshot", DATA)
        self.stores = multi_store(**self.drivers, rbd=disk)
        service, token = make_context("service", "p9"), make_context("member", "p1", service_roles=("service",))
        for change in (self.add(snapshot), LocationChange("replace", None, (Location(snapshot, {}),))):
            image = make_image(locations=())
            op = images.UpdateImage(IMAGE_ID, image, (change,))
            stack = self.stand(self.stores, changeable=True, update_image=image)
            error = self.assertRaises(Invalid, stack.call, OWNER, op)
            self.assertIn("you cannot add this location", str(error))
            self.assertEqual([], self.recorder.names)
            for context in (ADMIN, service, token):
                stack = self.stand(self.stores, changeable=True, update_image=image)
                stack.call(context, op)
                (resolved,) = self.only("update_image").changes
                self.assertEqual((snapshot, "rbd"), (resolved.locations[0].url, resolved.locations[0].store))

    def test_a_location_comes_with_its_store_and_its_size(self) -> None:
        self.update(self.add(self.url, k="v", store="a"), PropertyChange("add", "p", "x"))
        added, other = self.only("update_image").changes
        self.assertEqual(Location(self.url, {"k": "v", "store": "b"}), added.locations[0])
        self.assertEqual((len(DATA), PropertyChange("add", "p", "x")), (added.size, other))

    def test_a_location_of_the_only_store_names_none(self) -> None:
        driver = WebDriver()
        self.stores = one_store(driver)
        self.update(self.add(driver.put("new", DATA)))
        self.assertEqual({}, self.only("update_image").changes[0].locations[0].metadata)

    def test_a_location_that_cannot_be_used_is_refused_without_its_credentials(self) -> None:
        self.drivers["a"].fails["size"] = unavailable
        empty = self.drivers["b"].put("empty", b"")
        for url in (
            "gopher://user:passw0rd@host/x",
            "file:///etc/passwd",
            "filesystem:///etc/passwd",
            "swift+config://ref/c/o",
            "swift://user:passw0rd@host/c/o",
            "nonsense",
            "memory://b/new",
            "http://c/unknown-store",
            "http://b/not-there",
            "http://a/not-reachable",
            empty,
        ):
            for action in ("add", "replace"):
                change = LocationChange(action, None, (Location(url),))
                text = str(self.assertRaises(Invalid, self.update, change))
                self.assertNotIn("passw0rd", text)
                self.assertEqual([], self.recorder.names, url)

    def test_a_removed_location_loses_its_data(self) -> None:
        pending = [DataRemoval(3, IMAGE_ID, self.url, {"store": "b"})]
        self.update(LocationChange("remove", 0), list_removals=pending)
        self.assertEqual(["update_image", "list_removals", "finish_removal"], self.recorder.names)
        self.assertFalse(self.drivers["b"].holds(self.url))

    def test_one_that_was_removed_while_another_was_added_loses_its_data_too(self) -> None:
        pending = [DataRemoval(3, IMAGE_ID, self.url, {"store": "b"})]
        other = self.drivers["a"].put("other", DATA)
        self.update(self.add(other), LocationChange("remove", 0), list_removals=pending)
        self.assertFalse(self.drivers["b"].holds(self.url))

    def test_a_removal_is_done_even_where_the_store_does_not_let_the_data_go(self) -> None:
        pending = [DataRemoval(3, IMAGE_ID, self.url, {"store": "b"})]
        for error in (lambda: store_errors.InUseByStore(location=self.url), unavailable):
            self.drivers["b"].fails["delete"] = error
            self.assertEqual(make_image(), self.update(LocationChange("remove", 0), list_removals=pending))
            self.assertEqual(["update_image", "list_removals"], self.recorder.names)

    def test_a_refused_removal_keeps_the_data(self) -> None:
        stack = self.stand(self.stores, changeable=True, update_image=raising(Forbidden(reason="last")))
        op = images.UpdateImage(IMAGE_ID, make_image(), (LocationChange("remove", 0),))
        self.assertRaises(Forbidden, stack.call, OWNER, op)
        self.assertTrue(self.drivers["b"].holds(self.url))


class TestAccessLists(LocationCase):
    MEMBERS = (make_member("p2"), make_member("p3", "accepted"))

    def setUp(self) -> None:
        super().setUp()
        self.driver = AclDriver("acl")
        self.stores = multi_store(acl=self.driver, plain=FailingDriver("plain"))
        plain = Location("memory://plain/x", {"store": "plain"})
        self.locations = (Location("memory://acl/x", {"store": "acl"}), plain)

    def image(self, visibility: str = "shared") -> Image:
        return make_image(visibility=visibility, locations=self.locations)

    def call(self, op: Operation, **answers_with: Any) -> Recorder:
        self.stand(self.stores, list_members=self.MEMBERS, **answers_with).call(OWNER, op)
        return self.recorder

    def test_members_may_read_from_the_store_itself(self) -> None:
        for op in (members.AddMember(IMAGE_ID, self.image(), "p3"), members.DeleteMember(IMAGE_ID, self.image(), "p4")):
            self.driver.acls.clear()
            recorder = self.call(op)
            self.assertEqual([op.name, "list_members"], recorder.names)
            self.assertEqual([("memory://acl/x", False, ["p2", "p3"])], self.driver.acls)

    def test_a_change_of_visibility_changes_who_may_read(self) -> None:
        table = {"public": (True, []), "community": (True, []), "private": (False, []), "shared": (False, ["p2", "p3"])}
        for new, (public, readers) in table.items():
            self.driver.acls.clear()
            old = self.image("private" if new != "private" else "public")
            change = PropertyChange("replace", "visibility", new)
            self.call(images.UpdateImage(IMAGE_ID, old, (change,)), update_image=self.image(new))
            self.assertEqual([("memory://acl/x", public, readers)], self.driver.acls)

    def test_an_added_location_gets_the_list_of_the_image(self) -> None:
        web = WebDriver("web")
        self.stores = multi_store(acl=self.driver, web=web)
        change = LocationChange("add", None, (Location(web.put("x", DATA)),))
        image = make_image(visibility="public", locations=self.locations[1:])
        stack = self.stand(self.stores, changeable=True, update_image=self.image("public"))
        stack.call(OWNER, images.UpdateImage(IMAGE_ID, image, (change,)))
        self.assertEqual([("memory://acl/x", True, [])], self.driver.acls)

    def test_other_changes_leave_the_lists_alone(self) -> None:
        change = PropertyChange("replace", "name", "x")
        recorder = self.call(images.UpdateImage(IMAGE_ID, self.image(), (change,)), update_image=self.image())
        self.assertEqual((["update_image"], []), (recorder.names, self.driver.acls))

    def test_new_data_is_open_to_those_who_may_read_the_image(self) -> None:
        op = data.UploadData(IMAGE_ID, make_image(status="queued", locations=()), (DATA,))
        self.call(op, record_data=self.image("public"))
        self.assertEqual([("memory://acl/x", True, [])], self.driver.acls)

    def test_a_store_without_lists_costs_no_question(self) -> None:
        image = make_image(locations=self.locations[1:])
        self.assertEqual(["add_member"], self.call(members.AddMember(IMAGE_ID, image, "p3")).names)

    def test_a_store_that_fails_fails_no_request(self) -> None:
        self.driver.fails["set_acl"] = unavailable
        recorder = self.call(members.AddMember(IMAGE_ID, self.image(), "p3"))
        self.assertEqual(["add_member", "list_members"], recorder.names)


class TestStores(LocationCase):
    def test_the_stores_come_in_their_order(self) -> None:
        stack = self.stand(multi_store(b=FailingDriver("b"), a=FailingDriver("a")))
        self.assertEqual(["b", "a"], [store.id for store in stack.call(OWNER, info.ListStores())])

    def test_without_several_stores_there_is_no_list(self) -> None:
        self.assertRaises(NotFound, self.stand(one_store(FailingDriver())).call, OWNER, info.ListStores())
