"""Services that are killed where it hurts, and who clears up behind them.

They need no server and are here for the minutes that they take. Kills in the middle of an upload stand in
``tests/functional/test_killed``.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import fixtures
import requests
import testtools

from tests.functional.faults import (
    KNOWN,
    MIB,
    SHORT_LEASES,
    begin_upload,
    connect,
    files_of,
    framing,
    is_listening,
    make_state,
    start_service,
    status_of,
    workers_of,
)
from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase

LAYERS = "auth,notifier,policy,quota,location,database"

HOLD = """
    import os
    import time
    from glance_mini.layers.base import Layer

    class HoldLayer(Layer):
        name = "hold"

        @classmethod
        def from_config(cls, conf, services):
            return cls()

        def {operation}(self, context, op):
            while not os.path.exists({gate!r}):
                time.sleep(0.05)
            return self.below(context, op)
"""


class HeldService(fixtures.Fixture):
    """Holds an operation below the location layer until ``let_go``, in services that have ``options``."""

    def __init__(self, operation):
        super().__init__()
        self._operation = operation

    def _setUp(self):
        packages = Path(self.useFixture(fixtures.TempDir()).path)
        self._gate = packages / "gate"
        code = textwrap.dedent(HOLD).format(operation=self._operation, gate=str(self._gate))
        (packages / "hold_layer.py").write_text(code)
        package = packages / "hold_layer-1.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: hold-layer\nVersion: 1\n")
        (package / "entry_points.txt").write_text("[glance_mini.layers]\nhold = hold_layer:HoldLayer\n")
        self.useFixture(fixtures.EnvironmentVariable("PYTHONPATH", str(packages)))
        self.options = {"domain": {"layers": LAYERS.replace("location", "location,hold")}}

    def let_go(self):
        """Let the operation go on."""
        self._gate.touch()


class KilledAtTheEndTest(testtools.TestCase):
    def test_data_that_was_published_and_not_recorded_is_removed(self):
        service, image = self._begin("record_data")
        eventually(lambda: is_published(service, image), "the data was published")
        self._kill_and_recover(service, image)

    def test_upload_that_was_given_up_and_not_ended_is_ended(self):
        service, image = self._begin("abort_transfer", f"x-openstack-image-size: {MIB}")
        eventually(lambda: status_of(service, image) == "saving", "the upload began")
        eventually(lambda: not files_of(service, image), "the data was removed")
        self._kill_and_recover(service, image)

    def test_data_of_a_deleted_image_that_was_not_removed_is_removed(self):
        held = self.useFixture(HeldService("list_removals"))
        service = start_service(self, SHORT_LEASES, held.options)
        image = service.create_image()
        service.upload(image, b"whole")
        client = connect(self, service)
        client.send(f"DELETE /v2/images/{image} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {service.token}\r\n\r\n")
        path = f"/v2/images/{image}"
        eventually(lambda: service.request("GET", path).status_code == 404, "the image was deleted")
        service.stop(signal.SIGKILL)
        self.assertEqual(1, len(files_of(service, image)))
        self._let_the_time_of_the_request_pass(service)
        again = self._restart(service)
        eventually(lambda: not files_of(again, image), "the data was removed")

    def _begin(self, operation, *headers):
        held = self.useFixture(HeldService(operation))
        service = start_service(self, SHORT_LEASES, held.options)
        image = service.create_image()
        begin_upload(self, service, image, framing(KNOWN, 2 * MIB), *headers).send(b"x" * 2 * MIB)
        return service, image

    def _kill_and_recover(self, service, image):
        self.assertEqual("saving", status_of(service, image))
        service.stop(signal.SIGKILL)
        again = self._restart(service)
        eventually(lambda: status_of(again, image) == "queued", "the image was freed")
        self.assertEqual([], files_of(again, image))
        self.assertEqual(204, again.upload(image, b"whole").status_code)

    def _let_the_time_of_the_request_pass(self, service):
        """For a minute a deletion is the business of the request that began it."""
        with contextlib.closing(sqlite3.connect(service.state / "glance-mini.db")) as database, database:
            database.execute("UPDATE deletions SET due_at = '2026-01-01 00:00:00.000000'")

    def _restart(self, service):
        with open(service.state / "glance-mini.conf", "a", encoding="utf-8") as file:
            file.write(f"\n[domain]\nlayers = {LAYERS}\n")
        return start_service(self, state=service.state)


class StoppedServiceTest(testtools.TestCase):
    def test_killed_worker_is_replaced_and_cleared_up_behind(self):
        service, image, _ = self._begin()
        for worker in workers_of(service):
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: self._is_free(service, image), "the image was freed")
        self.assertEqual(204, service.upload(image, b"whole").status_code)

    def test_start_right_after_the_death_of_the_master_works(self):
        service, image, _ = self._begin({"server": {"graceful_timeout": 2}})
        service.process.kill()
        service.process.wait()
        eventually(lambda: not is_listening(service.port), "the workers stopped listening")
        again = start_service(self, state=service.state, port=service.port)
        eventually(lambda: self._is_free(again, image), "the image was freed")

    def test_upload_that_outlasts_the_grace_time_leaves_nothing(self):
        service, image, client = self._begin({"server": {"graceful_timeout": 1}})
        self.assertEqual(0, service.stop())
        self.assertEqual(b"", client.rest())
        again = start_service(self, state=service.state)
        eventually(lambda: self._is_free(again, image), "the image was freed")

    def test_upload_that_ends_within_the_grace_time_is_complete(self):
        service, image, client = self._begin()
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: not is_listening(service.port), "the service began to stop")
        client.send(b"x" * 2 * MIB)
        answer = client.response()
        self.assertEqual((204, "close"), (answer.status, answer.headers["connection"]))
        self.assertEqual(0, service.process.wait(30))
        self.assertEqual("active", status_of(start_service(self, state=service.state), image))

    def test_slow_upload_keeps_its_lease(self):
        service, image, client = self._begin()
        time.sleep(2 * SHORT_LEASES["transfers"]["lease_seconds"])
        client.send(b"x" * 2 * MIB)
        self.assertEqual(204, client.response().status)
        self.assertEqual("active", status_of(service, image))

    def _begin(self, *options):
        service = start_service(self, SHORT_LEASES, *options)
        image = service.create_image()
        client = begin_upload(self, service, image, framing(KNOWN, 4 * MIB))
        client.send(b"x" * 2 * MIB)
        eventually(lambda: files_of(service, image), "the upload began")
        return service, image, client

    def _is_free(self, service, image):
        try:
            return status_of(service, image) == "queued" and not files_of(service, image)
        except requests.ConnectionError:
            return False


class TwoServicesTest(ServiceTestCase):
    def test_upload_of_a_killed_service_is_cleared_up_by_the_other(self):
        first, second = self._start_both()
        image, alive = first.create_image(), first.create_image()
        begin_upload(self, first, image, framing(KNOWN, 4 * MIB)).send(b"x" * 2 * MIB)
        going_on = begin_upload(self, second, alive, framing(KNOWN, 4 * MIB))
        going_on.send(b"x" * 2 * MIB)
        for each in (image, alive):
            eventually(lambda each=each: files_of(first, each), "the upload began")
        first.stop(signal.SIGKILL)
        eventually(lambda: status_of(second, image) == "queued", "the image was freed")
        self.assertEqual([], files_of(first, image))
        going_on.send(b"x" * 2 * MIB)
        self.assertEqual(204, going_on.response().status)
        self.assertEqual(204, second.upload(image, b"whole").status_code)

    def test_service_that_wakes_up_in_the_middle_of_an_upload_does_not_harm_the_next_one(self):
        first, second = self._start_both()
        image = first.create_image()
        late = begin_upload(self, first, image, framing(KNOWN, 4 * MIB))
        late.send(b"x" * 2 * MIB)
        eventually(lambda: files_of(first, image), "the upload began")
        with self._asleep(first):
            self._upload_when_free(second, image)
        late.send(b"x" * 2 * MIB)
        self.assertNotEqual(204, late.response().status)
        self._assert_unharmed(second, image)

    def test_service_that_wakes_up_before_it_records_an_upload_does_not_harm_the_next_one(self):
        held = self.useFixture(HeldService("record_data"))
        first, second = self._start_both(held.options)
        image = first.create_image()
        late = begin_upload(self, first, image, framing(KNOWN, 2 * MIB))
        late.send(b"x" * 2 * MIB)
        eventually(lambda: is_published(first, image), "the data was published")
        with self._asleep(first):
            self._upload_when_free(second, image)
            held.let_go()
        self.assertEqual(410, late.response().status)
        self._assert_unharmed(second, image)

    def _start_both(self, options_of_first=None):
        folder = self.useFixture(fixtures.TempDir())
        database = {"database": {"connection": self.fresh_database("postgresql").replace("$", "$$")}}
        state = make_state(folder.join("first"), SHORT_LEASES, database, options_of_first or {})
        words = [sys.executable, "-m", "glance_mini.cmd.manage", "db", "sync", "--state", str(state)]
        subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL)
        shared = {**database, "images": {"filesystem_store_datadir": state / "images"}}
        first = start_service(self, state=state)
        return first, start_service(self, state=make_state(folder.join("second"), SHORT_LEASES, shared))

    @contextlib.contextmanager
    def _asleep(self, service):
        os.killpg(service.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(service.process.pid, signal.SIGCONT)

    def _upload_when_free(self, service, image):
        eventually(lambda: status_of(service, image) == "queued", "the image was freed")
        self.assertEqual(204, service.upload(image, b"new").status_code)

    def _assert_unharmed(self, service, image):
        self.assertEqual("active", status_of(service, image))
        self.assertEqual(b"new", service.request("GET", f"/v2/images/{image}/file").content)


def is_published(service, image):
    """Tell whether there is data of an image that is visible in the store."""
    return any(not path.name.startswith(".") for path in files_of(service, image))
