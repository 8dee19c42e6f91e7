"""A task that makes an image, whose worker is killed in the middle of its download."""

import os
import signal

import testtools

from tests.functional.faults import SHORT_LEASES, start_service, workers_of
from tests.functional.importing import ENDED
from tests.http_server.running import eventually
from tests.unit.store.web import Page, WebServer

DATA = os.urandom(3_000_000)


class KilledTaskTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.web = self.useFixture(WebServer())
        self.web.pages["/disk"] = Page(DATA, seconds=3)
        options = {
            "workers": {"lease_seconds": 2, "poll_interval": 0.2},
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.web.port},
        }
        self.service = start_service(self, SHORT_LEASES, options)

    def ask(self, path):
        """Return the path of a new task."""
        values = {"import_from": self.web.url(path), "import_from_format": "raw", "image_properties": {"name": "made"}}
        return self.service.request("POST", "/v2/tasks", json={"type": "import", "input": values}).json()["self"]

    def show(self, path):
        return self.service.request("GET", path).json()

    def test_the_next_worker_imports_into_the_image_that_was_made(self):
        task = self.ask("/disk")
        eventually(lambda: [one["status"] for one in self.images()] == ["importing"], "the import began")
        [made] = self.images()
        for worker in workers_of(self.service):
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: self.show(task)["status"] in ENDED, "the task ended")
        task = self.show(task)
        self.assertEqual(("success", {"image_id": made["id"]}), (task["status"], task["result"]), task["message"])
        [image] = self.images()
        self.assertEqual(("active", len(DATA)), (image["status"], image["size"]))
        self.assertEqual(DATA, self.service.request("GET", f"/v2/images/{image['id']}/file").content)
        self.assertEqual(1, len(self.service.stored_files()))

    def images(self):
        """Return all images."""
        return self.show("/v2/images")["images"]
