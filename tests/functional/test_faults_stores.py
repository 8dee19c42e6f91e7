"""Imports to three stores of which two fail: one that is not there, and one that breaks off in the middle."""

import hashlib
import os

import fixtures
import testtools

from tests.functional.breaking_store import AFTER
from tests.functional.entry_points import EntryPoints
from tests.functional.faults import SHORT_LEASES, make_state, show_log, use_for_class
from tests.functional.importing import (
    DIRECT,
    await_worker,
    begin_import,
    end_of_import,
    entries,
    run_import,
    stage,
    web,
)
from tests.functional.service import Service
from tests.unit.store.web import Page, WebServer

DATA = os.urandom(AFTER + 1_500_000)
SHA512 = hashlib.sha512(DATA).hexdigest()
STORES = ["gone", "images", "breaking"]
FAILING = ["gone", "breaking"]
FAILED, IMPORTING = "os_glance_failed_import", "os_glance_importing_to_stores"


class TwoOfThreeStoresTest(testtools.TestCase):
    """One service for all; its stores fail at the beginning of each test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        target = "tests.functional.breaking_store:BreakingDriver"
        use_for_class(cls, EntryPoints("glance_mini_store.drivers", breaking=target))
        cls.web = use_for_class(cls, WebServer())
        cls.web.pages["/disk"] = Page(DATA)
        path = use_for_class(cls, fixtures.TempDir()).join("state")
        options = {
            "DEFAULT": {"enabled_backends": "images:file,gone:file,breaking:breaking"},
            "gone": {"filesystem_store_datadir": f"{path}/gone"},
            "breaking": {"filesystem_store_datadir": f"{path}/breaking"},
            "workers": {"max_attempts": 1},
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": cls.web.port},
        }
        cls.service = use_for_class(cls, Service(make_state(path, SHORT_LEASES, options)))
        await_worker(cls.service)

    def setUp(self):
        super().setUp()
        show_log(self, self.service)
        self.fail_stores()
        self.addCleanup(self.mend_stores)

    def test_all_must_succeed(self):
        for begin in (self.staged, self.from_web):
            image, task = end_of_import(self.service, begin(stores=STORES))
            self.assertEqual(("queued", "failure"), (image["status"], task["status"]))
            self.assertEqual(set(STORES), names(image[FAILED]))
            self.assertEqual((None, None), (image["size"], image["checksum"]))
            self.assert_told(task)
            self.assert_kept_nowhere_but(image)

    def test_some_may_fail(self):
        for begin in (self.staged, self.from_web):
            image, task = end_of_import(self.service, begin(stores=STORES, all_stores_must_succeed=False))
            self.assertEqual(("active", "success"), (image["status"], task["status"]), task)
            self.assertEqual((set(FAILING), ""), (names(image[FAILED]), image[IMPORTING]))
            self.assertEqual((SHA512, "images"), (image["os_hash_value"], image["stores"]))
            self.assert_kept_nowhere_but(image, "images")
            self.assertEqual(DATA, self.service.request("GET", f"/v2/images/{image['id']}/file").content)

    def test_none_of_those_that_may_fail_is_left(self):
        image, task = end_of_import(self.service, self.staged(stores=FAILING, all_stores_must_succeed=False))
        self.assertEqual(("queued", "failure"), (image["status"], task["status"]))
        self.assertEqual(set(FAILING), names(image[FAILED]))
        self.assert_told(task)
        self.assert_kept_nowhere_but(image)

    def test_copies_that_fail_leave_the_image_as_it_was(self):
        image = self.active()
        for must_succeed in (True, False):
            body = {"stores": FAILING, "all_stores_must_succeed": must_succeed}
            after, task = run_import(self.service, image, {"name": "copy-image"}, **body)
            self.assertEqual(("active", "failure", "images"), (after["status"], task["status"], after["stores"]))
            self.assertEqual("", after[IMPORTING])
            self.assertEqual(set(FAILING), names(after[FAILED]))
            self.assert_kept_nowhere_but(after, "images")

    def test_what_failed_is_made_up_for_when_the_stores_are_back(self):
        everywhere = self.staged(stores=STORES)
        some = self.from_web(stores=STORES, all_stores_must_succeed=False)
        for image in (everywhere, some):
            end_of_import(self.service, image)
        self.mend_stores()
        stage(self.service, everywhere, DATA)
        whole, _ = run_import(self.service, everywhere, DIRECT, stores=STORES)
        copied, _ = run_import(self.service, some, {"name": "copy-image"}, stores=FAILING)
        for image in (whole, copied):
            self.assertEqual(("active", SHA512), (image["status"], image["os_hash_value"]))
            self.assertEqual((set(STORES), "", ""), (names(image["stores"]), image[FAILED], image[IMPORTING]))
            self.assert_kept_nowhere_but(image, *STORES)

    def staged(self, **body):
        """Return an image whose staged data is being imported."""
        image = self.service.create_image()
        self.assertEqual(204, stage(self.service, image, DATA).status_code)
        begin_import(self.service, image, DIRECT, **body)
        return image

    def from_web(self, **body):
        """Return an image whose data is being fetched."""
        image = self.service.create_image()
        begin_import(self.service, image, web(self.web.url("/disk")), **body)
        return image

    def active(self):
        """Return an image with data in the store that works."""
        image = self.service.create_image()
        self.assertEqual(204, self.service.upload(image, DATA).status_code)
        return image

    def fail_stores(self):
        """Let two stores fail."""
        (self.service.state / "gone").rename(self.service.state / "away")
        (self.service.state / "gone").touch()
        (self.service.state / "breaking.broken").touch()

    def mend_stores(self):
        """Let them work again; nothing where they do."""
        if not (self.service.state / "away").exists():
            return
        (self.service.state / "gone").unlink()
        (self.service.state / "away").rename(self.service.state / "gone")
        (self.service.state / "breaking.broken").unlink()

    def assert_told(self, task):
        """The task names a store that failed, and no path."""
        self.assertTrue([store for store in FAILING if f"store {store}: " in task["message"]], task["message"])
        self.assertNotIn(str(self.service.state), task["message"])

    def assert_kept_nowhere_but(self, image, *stores):
        """Only these stores have anything of the image, and nothing is left where it came through."""
        self.assertEqual([], entries(self.service, "staging", "work"))
        places = {path.parent.name for path in entries(self.service, *STORES, "away") if image["id"] in path.name}
        self.assertEqual(set(stores), places)


def names(text):
    """Return the stores in a list with commas."""
    return set(text.split(","))
