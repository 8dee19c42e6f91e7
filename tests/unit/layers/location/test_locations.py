"""Locations that are added by ``add_location``: the four ways to treat their hashes."""

from typing import Any, cast

import testtools

from glance_mini.db.interface import DataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Forbidden, Invalid, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import ImportBegun
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.layers.location.imports import ImportRules
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations.locations import AddLocation
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image, make_job
from tests.unit.layers.location.case import raising
from tests.unit.layers.location.stores import FailingDriver, WebDriver, multi_store
from tests.unit.layers.support import ADMIN, OWNER, stand

SERVICE = make_context("service", "p9")
WITH_SERVICE_TOKEN = make_context("member", "p1", service_roles=("service",))
QUEUED = make_image(status="queued", size=None, locations=())
HASH = {"hash_algorithm": "sha256", "hash_value": "ab" * 32}
CLAIMED = {"os_hash_algo": "sha256", "os_hash_value": "ab" * 32}
LIMITS = Limits({"image_count_uploading": 1}, locations=2)


class NewLocationCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.web = WebDriver("web")
        self.url = self.web.put("x", b"0123")
        self.active = make_image(locations=(Location(self.url, {"store": "web"}),))
        self.drivers: dict[str, Any] = {"memory": FailingDriver("memory"), "web": self.web}
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def add(self, context: Context = OWNER, image: Image = QUEUED, reads: bool = True, **values: Any) -> Any:
        answers = {"update_image": self.active, "begin_import": ImportBegun(make_image(status="importing"), make_job())}
        answers |= values.pop("answers", {})
        rules = ImportRules(
            check_uri=lambda _url: None,
            reads_locations=reads,
            priorities={"location_import": 3},
            wake_workers=self.wake,
        )
        leases = LeaseKeeper(cast(DataAccess, None), 60)
        layer = LocationLayer(multi_store(**self.drivers), leases, Metrics(), rules=rules)
        stack, self.recorder = stand(layer, **answers)
        return stack.call(context, AddLocation(IMAGE_ID, image, **{"url": self.url, "limits": LIMITS, **values}))

    def job_values(self, hashes: dict[str, str]) -> dict[str, Any]:
        return {"image_id": IMAGE_ID, "loc_url": self.url, "validation_data": hashes}


class TestHashes(NewLocationCase):
    def test_a_claimed_hash_is_compared_before_the_image_becomes_active(self) -> None:
        self.assertEqual("importing", self.add(**HASH).status)
        self.assertEqual(["begin_import"], self.recorder.names)
        (begun,) = self.recorder.seen
        job = begun.job  # type: ignore[attr-defined]
        self.assertEqual(("queued", "importing", LIMITS), (begun.expect, begun.status, begun.limits))  # type: ignore[attr-defined]
        self.assertEqual({"os_glance_import_task": job.id}, begun.properties)  # type: ignore[attr-defined]
        self.assertEqual(("location_import", IMAGE_ID, 3), (job.kind, job.image_id, job.priority))
        self.assertEqual((self.job_values(CLAIMED), 1), (job.input, self.woken))

    def test_without_a_hash_the_image_is_active_at_once_and_read_later(self) -> None:
        self.assertEqual("active", self.add().status)
        changed, begun = self.recorder.seen
        (change,) = changed.changes  # type: ignore[attr-defined]
        self.assertEqual((Location(self.url, {"store": "web"}),), change.locations)
        self.assertEqual((4, {}, LIMITS), (change.size, change.hashes, changed.limits))  # type: ignore[attr-defined]
        self.assertEqual(("active", "active", NO_LIMITS), (begun.expect, begun.status, begun.limits))  # type: ignore[attr-defined]
        self.assertEqual((self.job_values({}), 1), (begun.job.input, self.woken))  # type: ignore[attr-defined]

    def test_an_image_that_cannot_be_read_later_stays_active(self) -> None:
        answers = {"begin_import": raising(Conflict(reason="being copied"))}
        self.assertEqual(("active", 0), (self.add(answers=answers).status, self.woken))

    def test_where_nothing_is_read_a_claimed_hash_is_believed(self) -> None:
        self.assertEqual("active", self.add(reads=False, **HASH).status)
        self.assertEqual(["update_image"], self.recorder.names)
        self.assertEqual(CLAIMED, self.recorder.seen[0].changes[0].hashes)  # type: ignore[attr-defined]

    def test_where_nothing_is_read_no_hash_is_needed(self) -> None:
        self.assertEqual("active", self.add(reads=False).status)
        self.assertEqual({}, self.recorder.seen[0].changes[0].hashes)  # type: ignore[attr-defined]
        self.assertEqual(0, self.woken)


class TestRules(NewLocationCase):
    def refused(self, error: type[Exception], *arguments: Any, **values: Any) -> None:
        self.assertRaises(error, self.add, *arguments, **values)
        self.assertEqual([], self.recorder.names)

    def test_only_services_and_administrators_name_other_than_web_addresses(self) -> None:
        other = FailingDriver("cinder")
        other.schemes = ("cinder",)  # type: ignore[misc]
        other._prefix = "cinder://cinder/"
        self.drivers["cinder"] = other
        url = other.put("0c6f4a6e-5b1f-4a55-9c39-55b9d0b0a001", b"0123")
        self.refused(Forbidden, OWNER, url=url)
        for context in (SERVICE, ADMIN, WITH_SERVICE_TOKEN):
            self.add(context, url=url, reads=False)
            self.assertEqual(["update_image"], self.recorder.names)

    def test_a_user_needs_a_store_for_web_addresses(self) -> None:
        del self.drivers["web"]
        self.refused(Forbidden, OWNER)
        self.refused(Invalid, SERVICE)

    def test_the_image_is_queued_and_has_formats(self) -> None:
        for status in ("saving", "uploading", "importing", "active", "deactivated"):
            self.refused(StatusConflict, image=make_image(status=status))
        self.refused(Invalid, image=make_image(status="queued", disk_format=None))

    def test_the_data_must_be_there(self) -> None:
        for values in ({}, HASH):
            self.refused(Invalid, url="http://web/none", **values)
            self.refused(Invalid, url=self.web.put("empty", b""), **values)
            self.refused(Invalid, SERVICE, url="memory://memory/x", **values)
            self.refused(Invalid, SERVICE, url="file:///etc/passwd", **values)
