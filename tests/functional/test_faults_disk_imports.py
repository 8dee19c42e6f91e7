"""Imports that meet a full disk: in the staging area, in a store, in the directory where plugins work.

No file may grow beyond a limit where no disk can be mounted; the system refuses that as it does on a full disk.
"""

import gzip
import os
import resource

import fixtures
import testtools

from tests.functional.faults import (
    KNOWN,
    MIB,
    SHORT_LEASES,
    UNKNOWN,
    SharedService,
    files_of,
    make_state,
    show_log,
    status_of,
    use_for_class,
    workers_of,
)
from tests.functional.importing import DIRECT, await_worker, entries, run_import, stage, web
from tests.functional.service import Service
from tests.functional.test_faults_disk import DISK_MIB, SmallDisk
from tests.unit.store.web import Page, WebServer

SMALL = os.urandom(MIB)
LARGE = os.urandom(1024) * 1024 * (DISK_MIB + 1)


def options_for(server, plugins):
    """Return options with which an import from ``server`` passes ``plugins`` and fails at its first error."""
    return {
        "workers": {"max_attempts": 1},
        "image_import_opts": {"image_import_plugins": plugins},
        "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": server.port},
    }


class DiskCase:
    """Mix into a case that has a ``service`` and the server ``web``."""

    def from_web(self, image, data, **body):
        """Return the image and its task after an import of ``data`` from the server."""
        self.web.pages["/disk"] = Page(data)
        return run_import(self.service, image, web(self.web.url("/disk")), **body)

    def assert_failed(self, ended, why):
        """The task says ``why`` and names no path, the image can be imported again, and nothing is left."""
        image, task = ended
        self.assertEqual(("failure", "queued", "images"), (task["status"], image["status"], failed(image)), task)
        self.assertIn(why, task["message"])
        self.assertNotIn(str(self.service.state), task["message"])
        self.assert_nothing_left(image["id"])

    def assert_works(self, ended, data):
        """The import has succeeded."""
        image, task = ended
        self.assertEqual(("success", "active"), (task["status"], image["status"]), task)
        self.assertEqual(data, self.service.request("GET", f"/v2/images/{image['id']}/file").content)
        self.assertEqual([], entries(self.service, "staging", "work"))

    def assert_nothing_left(self, image):
        """Nowhere is a byte of the image."""
        self.assertEqual([], [*entries(self.service, "staging", "work"), *files_of(self.service, image)])

    def assert_staging_full(self):
        """Too much data is refused, and what there is room for is taken and imported."""
        for kind in (KNOWN, UNKNOWN):
            image = self.service.create_image()
            answer = stage(self.service, image, LARGE if kind == KNOWN else iter([LARGE]))
            self.assertEqual((413, "queued"), (answer.status_code, status_of(self.service, image)), answer.text)
            self.assertNotIn(str(self.service.state), answer.text)
            self.assert_nothing_left(image)
            self.assertEqual(204, stage(self.service, image, SMALL).status_code)
            self.assert_works(run_import(self.service, image, DIRECT), SMALL)


class NoLargeFiles(DiskCase, SharedService):
    """Mix into a case: the processes of the service can write no file larger than a disk of ``DISK_MIB``."""

    plugins = ""
    words = ()

    @classmethod
    def setUpClass(cls):
        cls.web = use_for_class(cls, WebServer())
        cls.options = options_for(cls.web, cls.plugins)
        super().setUpClass()
        await_worker(cls.service)

    def setUp(self):
        super().setUp()
        self.limit_files(DISK_MIB * MIB)
        self.addCleanup(self.limit_files, resource.RLIM_INFINITY)

    def limit_files(self, size):
        """Let no file grow beyond ``size``; the hard limit stays, so that anybody may lift it again."""
        for process in workers_of(self.service):
            resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class NoLargeFilesTest(NoLargeFiles, testtools.TestCase):
    def test_full_staging_area(self):
        self.assert_staging_full()

    def test_full_store(self):
        image, kept = self.service.create_image(), self.service.create_image()
        self.assert_works(self.from_web(kept, SMALL), SMALL)
        self.assert_failed(self.from_web(image, LARGE), "store images: no room for this data")
        self.assertEqual(SMALL, self.service.request("GET", f"/v2/images/{kept}/file").content)
        self.limit_files(resource.RLIM_INFINITY)
        self.assert_works(self.from_web(image, LARGE), LARGE)


class NoLargeFilesOfPluginsTest(NoLargeFiles, testtools.TestCase):
    plugins = "image_decompression"

    def test_download_that_has_no_room_before_the_plugins(self):
        image = self.service.create_image()
        self.assert_failed(self.from_web(image, LARGE), "The worker cannot use its files: ")
        self.assert_works(self.from_web(image, SMALL), SMALL)

    def test_result_of_a_plugin_that_has_no_room(self):
        packed, image = gzip.compress(LARGE, 1), self.service.create_image()
        self.assertLess(len(packed), DISK_MIB * MIB)
        self.assertEqual(204, stage(self.service, image, packed).status_code)
        self.assert_failed(run_import(self.service, image, DIRECT), "The worker cannot use its files: ")
        self.limit_files(resource.RLIM_INFINITY)
        self.assert_works(self.from_web(image, packed), LARGE)


class SmallDisksTest(DiskCase, testtools.TestCase):
    """Real disks, one for each directory, and a second store that has room."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = use_for_class(cls, WebServer())
        state = make_state(
            use_for_class(cls, fixtures.TempDir()).join("state"),
            SHORT_LEASES,
            options_for(cls.web, "image_decompression"),
            {"DEFAULT": {"enabled_backends": "images:file,roomy:file"}},
        )
        with open(state / "glance-mini.conf", "a", encoding="utf-8") as file:
            file.write(f"[roomy]\nfilesystem_store_datadir = {state}/roomy\n")
        cls.disks = [use_for_class(cls, SmallDisk(state / name)) for name in ("images", "staging", "work")]
        cls.service = use_for_class(cls, Service(state))
        await_worker(cls.service)

    def setUp(self):
        super().setUp()
        show_log(self, self.service)
        for disk in self.disks:
            disk.require(self)

    def test_full_staging_area(self):
        self.assert_staging_full()

    def test_full_store_and_another_one_with_room(self):
        other, image = self.service.create_image(), self.service.create_image()
        half = SMALL * (DISK_MIB // 2)
        self.assert_works(self.from_web(other, half), half)
        self.assert_failed(self.from_web(image, half + SMALL), "store images: no room for this data")
        body = {"stores": ["images", "roomy"], "all_stores_must_succeed": False}
        ended = self.from_web(image, half + SMALL, **body)
        self.assert_works(ended, half + SMALL)
        self.assertEqual(("roomy", "images"), (ended[0]["stores"], failed(ended[0])))
        self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{other}").status_code)
        copied, _ = run_import(self.service, image, {"name": "copy-image"}, stores=["images"])
        self.assertEqual(({"roomy", "images"}, ""), (set(copied["stores"].split(",")), failed(copied)))

    def test_full_work_directory(self):
        image = self.service.create_image()
        self.assert_failed(self.from_web(image, LARGE), "The worker cannot use its files: No space left on device.")
        self.assert_works(self.from_web(image, SMALL), SMALL)


def failed(image):
    """Return the stores that failed, as the image shows them."""
    return image["os_glance_failed_import"]
