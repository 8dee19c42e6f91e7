"""How the data of images gets into stores."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import fixtures

from glance_mini.content.signatures import FetchCertificate, SignatureInvalid
from glance_mini.domain.errors import (
    ClientGone,
    Gone,
    Invalid,
    LimitExceeded,
    NotFound,
    StatusConflict,
    TransferLost,
    Unavailable,
    UnsafeContent,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.quota import Limits
from glance_mini.operations import data
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store import errors as store_errors
from glance_mini_store.drivers.file import FileDriver
from tests.unit.content import disk_images as disks
from tests.unit.content.signed import RSA_KEY, signed
from tests.unit.jobs.certificates import make_certificate
from tests.unit.layers.location.case import (
    DATA,
    HERE,
    NAME,
    NOTHING_LEFT,
    QUEUED,
    RECORDED,
    TRANSFER_ID,
    LocationCase,
    raising,
)
from tests.unit.layers.location.stores import (
    FailingDriver,
    multi_store,
    one_store,
    unavailable,
)
from tests.unit.layers.support import OWNER, count


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

    def test_what_a_store_that_fails_may_have_kept_is_left_to_the_reaper(self) -> None:
        for error, has_remains in (
            (unavailable(), True),
            (store_errors.StorageWriteDenied(reason="keys"), True),
            (store_errors.StorageFull(reason="disk"), False),
            (Invalid(reason="body"), False),
        ):
            self.driver.fails["write"] = lambda error=error: error
            self.fails(type(error))
            self.assertIs(has_remains, self.only("abort_transfer").has_remains)

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

    def test_a_write_that_left_data_leaves_its_transfer_for_the_reaper(self) -> None:
        unmarked, marked = (store_errors.StorageFull(reason="full") for _ in range(2))
        store_errors.mark_leftovers(marked)
        for failure, has_remains in (
            (unmarked, False),
            (marked, True),
            (store_errors.RemoteServiceUnavailable(reason="silent"), True),
        ):
            self.driver.fails["write"] = lambda failure=failure: failure
            self.fails(type(failure))
            self.assertEqual(NOTHING_LEFT, self.recorder.names)
            self.assertEqual(has_remains, self.only("abort_transfer").has_remains)

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
