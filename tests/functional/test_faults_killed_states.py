"""Images whose process was killed while they were ``uploading`` or ``importing``: they go on, or begin anew.

Those that were ``saving`` stand in ``test_killed``, and with the tests of several minutes in ``tests/integration``.
"""

import os
import signal
import time

import fixtures
import testtools

from tests.functional.faults import (
    KNOWN,
    MIB,
    SHORT_LEASES,
    UNKNOWN,
    connect,
    files_of,
    framing,
    make_state,
    part_of,
    show_log,
    start_service,
    status_of,
    use_for_class,
)
from tests.functional.importing import DIRECT, begin_import, end_of_import, entries, last_task, run_import, stage, web
from tests.functional.service import Service
from tests.functional.test_worker import WorkerProcess
from tests.http_server.running import eventually
from tests.unit.imports.raw_server import RawServer, response

DATA = os.urandom(3 * MIB)
LEASE_SECONDS = 2


def options_for(server):
    """Return options by which the service may fetch from ``server`` and others soon take over what was left."""
    return {
        "workers": {"lease_seconds": LEASE_SECONDS, "poll_interval": 0.2},
        "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": server.port},
    }


def begin_download(service, server, *later):
    """Return an image whose import has written a part and waits for the rest; ``later`` are the next answers."""
    server.asked.clear()
    server.answers = (server.begin_and_stall(response(DATA[: 2 * MIB], Content_Length=len(DATA))), *later)
    image = service.create_image()
    begin_import(service, image, web(server.url("/disk")))
    eventually(lambda: files_of(service, image), "the import began to write")
    return image


def is_active(test, service, image):
    """Fail unless the import ends well and nothing but the data is left of it."""
    after, task = end_of_import(service, image)
    test.assertEqual(("active", "success"), (after["status"], task["status"]), task)
    test.assertEqual(DATA, service.request("GET", f"/v2/images/{image}/file").content)
    test.assertEqual(1, len(files_of(service, image)))


class KilledMachineTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.web = self.useFixture(RawServer())
        self.service = start_service(self, SHORT_LEASES, options_for(self.web))

    def test_all_that_was_under_way_is_finished_or_undone_after_the_next_start(self):
        staged = self.service.create_image()
        stage(self.service, staged, DATA).raise_for_status()
        staging = [self.begin_staging(kind) for kind in (KNOWN, UNKNOWN)]
        importing = begin_download(self.service, self.web, response(DATA))
        before = [status_of(self.service, image) for image in (staged, *staging, importing)]
        self.assertEqual(["uploading", "uploading", "uploading", "importing"], before)
        self.service.stop(signal.SIGKILL)
        again = start_service(self, state=self.service.state)
        for image in staging:
            eventually(lambda image=image: status_of(again, image) == "queued", "the image was freed")
        (left,) = entries(again, "staging")
        self.assertEqual(DATA, left.read_bytes())
        is_active(self, again, importing)
        for image in (staged, *staging):
            if image != staged:
                stage(again, image, DATA).raise_for_status()
            begin_import(again, image, DIRECT)
            is_active(self, again, image)
        self.assertEqual([], entries(again, "staging", "work"))

    def begin_staging(self, kind):
        """Return an image of which a part has been staged."""
        before, image = len(entries(self.service, "staging")), self.service.create_image()
        client = connect(self, self.service)
        head = f"PUT /v2/images/{image}/stage HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {self.service.token}\r\n"
        client.send(f"{head}Content-Type: application/octet-stream\r\n{framing(kind, len(DATA))}\r\n\r\n")
        client.send(part_of(kind, DATA[: 2 * MIB]))
        eventually(lambda: len(entries(self.service, "staging")) > before, "the staging began")
        return image


class KilledOnlyWorkerTest(testtools.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = use_for_class(cls, RawServer())
        folder = use_for_class(cls, fixtures.TempDir())
        state = make_state(folder.join("state"), SHORT_LEASES, options_for(cls.web))
        cls.service = use_for_class(cls, Service(state, "--no-worker"))

    def setUp(self):
        super().setUp()
        show_log(self, self.service)

    def test_import_waits_for_the_next_worker_which_finishes_it(self):
        image = self.kill_in_the_middle(response(DATA))
        self.useFixture(WorkerProcess(self.service.state))
        is_active(self, self.service, image)

    def test_import_that_cannot_be_finished_any_more_leaves_a_queued_image_and_no_byte(self):
        image = self.kill_in_the_middle(response(status="404 Not Found"), response(DATA))
        self.useFixture(WorkerProcess(self.service.state))
        after, task = end_of_import(self.service, image)
        self.assertEqual(("queued", "failure"), (after["status"], task["status"]))
        self.assertEqual([], [*files_of(self.service, image), *entries(self.service, "staging", "work")])
        run_import(self.service, image, web(self.web.url("/disk")))
        is_active(self, self.service, image)

    def test_image_that_is_deleted_meanwhile_takes_the_remains_with_it(self):
        image = self.kill_in_the_middle(response(DATA))
        self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{image}").status_code)
        self.useFixture(WorkerProcess(self.service.state))
        eventually(lambda: not files_of(self.service, image), "the remains were removed")
        self.assertEqual(404, self.service.request("GET", f"/v2/images/{image}").status_code)

    def kill_in_the_middle(self, *later):
        """Return an image whose only worker is dead; its lease has ended, and a part of the data is in the store."""
        worker = self.useFixture(WorkerProcess(self.service.state))
        image = begin_download(self.service, self.web, *later)
        worker.end(signal.SIGKILL)
        # Nothing happens meanwhile.
        time.sleep(LEASE_SECONDS + 1)
        states = status_of(self.service, image), last_task(self.service, image)["status"]
        self.assertEqual(("importing", "processing"), states)
        self.assertEqual(1, len(files_of(self.service, image)))
        return image
