"""SIGHUP: the running service takes over changed sections of stores, and no transfer is lost."""

import os
import signal
import threading
import time
from pathlib import Path

import fixtures
import testtools

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service

CONTENT = os.urandom(1 << 20)
DEADLINE = 30


class ChangedStoresTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.state = StateDirectory(Path(self.useFixture(fixtures.TempDir()).path) / "state")
        self.state.create()
        self.before = self.state.config_file.read_text()
        self.service = self.useFixture(Service(self.state.path))

    def hang_up(self, text):
        """Write the configuration and let the service read it; return what its log says about the stores."""
        already = self.log().count("stores")
        self.state.config_file.write_text(text)
        self.service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + DEADLINE
        while self.log().count("stores") == already:
            self.assertLess(time.monotonic(), deadline, self.log())
            time.sleep(0.05)
        return self.log()

    def log(self):
        return self.service.log.read_text()

    def wait_for(self, stores):
        deadline = time.monotonic() + DEADLINE
        while stores != (found := self.stores()):
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.05)

    def stores(self):
        return [store["id"] for store in self.service.request("GET", "/v2/info/stores").json()["stores"]]

    def with_archive(self):
        """Return the configuration with a second store."""
        first = self.stores()[0]
        text = self.before.replace(f"{first}:file", f"{first}:file,archive:file")
        return f"{text}\n[archive]\nfilesystem_store_datadir = $state_directory/archive\n"

    def test_store_is_added_used_and_drained(self):
        first = self.stores()
        processes = self.processes()
        self.hang_up(self.with_archive())
        self.wait_for([*first, "archive"])
        image = self.service.create_image()
        headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": "archive"}
        uploading = threading.Event()

        def body():
            yield CONTENT
            uploading.set()
            self.wait_for(first)
            yield CONTENT

        answers = []
        upload = threading.Thread(
            target=lambda: answers.append(
                self.service.request("PUT", f"/v2/images/{image}/file", data=body(), headers=headers).status_code
            )
        )
        upload.start()
        self.addCleanup(upload.join, DEADLINE)
        self.assertTrue(uploading.wait(DEADLINE))
        self.hang_up(self.before)
        upload.join(DEADLINE)
        self.assertEqual([204], answers, self.log())
        (file,) = (path for path in (self.state.path / "archive").rglob("*") if path.is_file())
        self.assertEqual(CONTENT + CONTENT, file.read_bytes())
        self.hang_up(self.with_archive())
        self.wait_for([*first, "archive"])
        self.assertEqual(CONTENT * 2, self.service.request("GET", f"/v2/images/{image}/file").content)
        self.assertEqual(processes, self.processes())

    def test_wrong_section_is_refused_once_and_the_service_goes_on(self):
        first = self.stores()
        log = self.hang_up(self.with_archive().replace("$state_directory/archive", "relative/path"))
        self.assertEqual(1, log.count("The stores stay as they were"), log)
        self.assertIn("filesystem_store_datadir", log)
        self.assertEqual(first, self.stores())

    def processes(self):
        """Return the numbers of the processes of the service."""
        children = f"/proc/{self.service.process.pid}/task/{self.service.process.pid}/children"
        with open(children) as file:
            return file.read().split()
