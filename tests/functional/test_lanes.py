"""Slow downloads of one project behind the real service: what everybody else's jobs have to wait for."""

import fixtures
import testtools

from tests import programs
from tests.functional.faults import make_state, show_log, use_for_class
from tests.functional.importing import DIRECT, begin_import, end_of_import, run_import, stage, web
from tests.functional.service import Service
from tests.http_server.running import eventually
from tests.unit.imports.raw_server import response
from tests.unit.store.dripping import DrippingServer

SECONDS = 5
MANY = 8
THREADS = 4
SHARE = THREADS // 2


class TestLanes(testtools.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ports = ",".join(map(str, range(1024, 65536)))
        options = {
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": ports},
            "workers": {"threads": THREADS},
        }
        folder = use_for_class(cls, fixtures.TempDir())
        state = make_state(folder.join("state"), options)
        cls.service = use_for_class(cls, Service(state))
        words = ("user", "add", "other", "--token", "--role", "member", "--state", state)
        made = programs.run("glance_mini.cmd.manage", *words)
        cls.other = {"X-Auth-Token": made.stdout.split()[-1]}

    def setUp(self):
        super().setUp()
        show_log(self, self.service)
        self.slow = self.useFixture(DrippingServer(response(Content_Length=10**9), interval=0.5))
        self.quick = self.useFixture(DrippingServer(response(b"quick"), interval=60))
        self.images = [self.service.create_image() for _ in range(MANY)]
        for image in self.images:
            begin_import(self.service, image, web(self.slow.url()))
        self.assertTrue(self.slow.wait_until(SHARE), "the share of the project is used")

    def test_other_projects_and_quick_jobs_go_on_and_deleted_images_end_their_downloads(self):
        local = self.service.create_image()
        self.assertEqual(204, stage(self.service, local, b"staged").status_code)
        image, task = run_import(self.service, local, DIRECT)
        self.assertEqual(("active", "success", "api_image_import"), (image["status"], task["status"], task["type"]))

        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        answer = self.service.request("POST", "/v2/images", json=body, headers=self.other)
        self.assertEqual(201, answer.status_code, answer.text)
        begin_import_as(self.service, self.other, answer.json()["id"], web(self.quick.url()))
        self.assertEqual("active", end_of_import(self.service, answer.json()["id"])[0]["status"])
        self.assertEqual(SHARE, self.slow.open)

        for image in self.images:
            self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{image}").status_code)
        self.assertTrue(self.slow.wait_until(0, SECONDS), "all downloads ended")
        eventually(lambda: not self.service.request("GET", "/v2/images?status=importing").json()["images"], "none left")
        self.assertNotIn("Traceback", self.service.log.read_text())


def begin_import_as(service, headers, image, method):
    """Ask for an import in the name of another user."""
    answer = service.request("POST", f"/v2/images/{image}/import", json={"method": method}, headers=headers)
    if answer.status_code != 202:
        raise AssertionError(f"{answer.status_code} {answer.text}")
