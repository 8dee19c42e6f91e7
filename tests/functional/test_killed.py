"""A service that is killed in the middle of an upload, and what the next start makes of it."""

import signal
import socket
from pathlib import Path

import fixtures
import testtools

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service
from tests.http_server.running import eventually

MIB = 1024 * 1024
WAIT_SECONDS = 40
SHORT_LEASE = """
[transfers]
lease_seconds = 3
reaper_interval = 1
"""


class KilledUploadTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.state = StateDirectory(Path(self.useFixture(fixtures.TempDir()).path) / "state")
        self.state.create()
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write(SHORT_LEASE)

    def test_upload_of_known_size_leaves_a_queued_image_and_no_byte(self):
        self._kill_in_the_middle([f"Content-Length: {64 * MIB}"], b"x" * 8 * MIB)

    def test_upload_of_unknown_size_leaves_a_queued_image_and_no_byte(self):
        self._kill_in_the_middle(["Transfer-Encoding: chunked"], (b"%x\r\n" % MIB + b"x" * MIB + b"\r\n") * 8)

    def _kill_in_the_middle(self, framing, part):
        service = self.useFixture(Service(self.state.path, "--no-worker"))
        image = service.create_image()
        with self._begin_upload(service, image, framing) as client:
            client.sendall(part)
            self._wait_until(service.stored_files)
            self.assertEqual("saving", self._status(service, image))
            service.stop(signal.SIGKILL)
        again = self.useFixture(Service(self.state.path, "--no-worker", port=service.port))
        self._wait_until(lambda: self._status(again, image) == "queued" and not again.stored_files())
        self.assertEqual(204, again.upload(image, b"whole").status_code)
        self.assertEqual(b"whole", again.request("GET", f"/v2/images/{image}/file").content)

    def _begin_upload(self, service, image, framing):
        client = socket.create_connection(("127.0.0.1", service.port), timeout=WAIT_SECONDS)
        head = [
            f"PUT /v2/images/{image}/file HTTP/1.1",
            "Host: localhost",
            f"X-Auth-Token: {service.token}",
            "Content-Type: application/octet-stream",
            *framing,
        ]
        client.sendall("\r\n".join([*head, "", ""]).encode())
        return client

    def _status(self, service, image):
        return service.request("GET", f"/v2/images/{image}").json()["status"]

    def _wait_until(self, is_so):
        eventually(is_so, "what is waited for came")
