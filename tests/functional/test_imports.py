"""Imports by the unmodified clients into the real service."""

import hashlib
import json
import os
import sys
from pathlib import Path

import fixtures
import testtools
from testtools.content import text_content

from glance_mini.standalone.state import StateDirectory
from tests.functional.faults import show_log, use_for_class
from tests.functional.service import Client, Service, files_below
from tests.http_server.running import eventually
from tests.unit.store.web import Page, WebServer

CONFIGURATION = """
[workers]
lease_seconds = 2
poll_interval = 0.2

[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports = {port}
"""


class Place(fixtures.Fixture):
    """A state directory whose service may fetch from a web server, which has ``content`` as ``/disk.raw``."""

    def __init__(self, content):
        super().__init__()
        self.content = content
        self.digest = hashlib.sha512(content).hexdigest()

    def _setUp(self):
        root = Path(self.useFixture(fixtures.TempDir()).path)
        self.web = self.useFixture(WebServer())
        self.web.pages["/disk.raw"] = Page(self.content)
        self.file = root / "disk.raw"
        self.file.write_bytes(self.content)
        self.state = StateDirectory(root / "state")
        self.state.create()
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(port=self.web.port))


class ImportTestCase(testtools.TestCase):
    """What the tests know of their ``Place``."""

    content = os.urandom(2_500_000)

    def setUp(self):
        super().setUp()
        place = self.place()
        self.digest, self.web, self.file, self.state = place.digest, place.web, place.file, place.state

    def place(self):
        """Return the place of this test."""
        return self.useFixture(Place(self.content))

    def start(self, *words):
        """Return the running service."""
        service = self.useFixture(Service(self.state.path, *words))
        self.addCleanup(lambda: self.addDetail("service", text_content(service.log.read_text())))
        return service

    def wait_for(self, service, image_id):
        """Return the image once its import has ended."""

        def ended():
            image = service.request("GET", f"/v2/images/{image_id}").json()
            is_over = "os_glance_import_task" not in image and image["status"] in ("active", "queued")
            return image if is_over else None

        return eventually(ended, "the import ended")

    def assertImported(self, service, image_id):
        """Fail unless the image is there, whole and alone."""
        image = self.wait_for(service, image_id)
        self.assertEqual("active", image["status"])
        self.assertEqual((len(self.content), self.digest), (image["size"], image["os_hash_value"]))
        self.assertEqual("", image["os_glance_importing_to_stores"])
        self.assertEqual("", image["os_glance_failed_import"])

    def files(self, name):
        """Return the files below a directory of the state directory."""
        return files_below(self.state.path / name)


class ClientImportTest(ImportTestCase):
    """One service for all; each test has an image of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = use_for_class(cls, Place(cls.content))
        cls.service = use_for_class(cls, Service(cls.shared.state.path))

    def setUp(self):
        super().setUp()
        show_log(self, self.service)
        self.client = self.useFixture(Client(self.state.clouds_file))

    def place(self):
        return self.shared

    def glance(self, *words):
        """Return what ``glance`` printed. It takes any input that is no terminal for data, so it gets none."""
        program = str(Path(sys.executable).parent / "glance")
        url = self.service.cloud["image_endpoint_override"]
        access = ("--os-auth-token", self.service.token, "--os-image-url", url)
        return self.client.call("/bin/sh", "-c", 'exec "$@" <&-', "sh", program, *access, *words)

    def image_id(self, name):
        """Return the id of the one image of this name."""
        (image,) = self.service.request("GET", f"/v2/images?name={name}").json()["images"]
        return image["id"]

    def test_glance_imports_a_file(self):
        formats = ("--disk-format", "raw", "--container-format", "bare")
        self.glance("image-create-via-import", *formats, "--name", "of-a-file", "--file", str(self.file))
        image_id = self.image_id("of-a-file")
        self.assertImported(self.service, image_id)
        self.assertEqual(1, len([path for path in self.files("images") if image_id in path.name]))
        self.assertEqual((0, 0), tuple(len(self.files(name)) for name in ("staging", "work")))

    def test_glance_imports_from_a_web_server(self):
        source = ("--import-method", "web-download", "--uri", self.web.url("/disk.raw"))
        formats = ("--disk-format", "raw", "--container-format", "bare")
        self.glance("image-create-via-import", *formats, "--name", "of-the-web", *source)
        self.assertImported(self.service, self.image_id("of-the-web"))

    def test_openstack_stages_and_imports_a_file(self):
        image_id = self.service.create_image()
        self.client.openstack("image", "stage", image_id, "--file", str(self.file))
        self.client.openstack("image", "import", image_id)
        self.assertImported(self.service, image_id)
        (task,) = self.service.request("GET", f"/v2/images/{image_id}/tasks").json()["tasks"]
        tasks = json.loads(self.client.openstack("image", "task", "list", "-f", "json"))
        self.assertEqual(["success"], [each["Status"] for each in tasks if each["ID"] == task["id"]])

    def test_openstack_imports_from_a_web_server_and_waits_for_it(self):
        image_id = self.service.create_image()
        words = ("--method", "web-download", "--uri", self.web.url("/disk.raw"), "--wait")
        self.client.openstack("image", "import", image_id, *words)
        self.assertImported(self.service, image_id)

    def test_openstack_shows_that_a_web_server_has_no_such_file(self):
        image_id = self.service.create_image()
        self.client.openstack("image", "import", image_id, "--method", "web-download", "--uri", self.web.url("/none"))
        image = self.wait_for(self.service, image_id)
        self.assertEqual(("queued", "images"), (image["status"], image["os_glance_failed_import"]))
