"""Web servers that drip, behind the real service: who has gone gives thread, slot and job back, within five seconds."""

import socket

import fixtures
import testtools

from tests.functional.faults import make_state, serve_with_web_store, show_log
from tests.functional.importing import begin_import, web
from tests.functional.service import Service
from tests.http_server.running import eventually
from tests.unit.imports.raw_server import response
from tests.unit.store.dripping import DrippingServer

SECONDS = 5
SIZE = 1_000_000
ANNOUNCED = response(Content_Length=SIZE)


def drip(head):
    """Return what the server begins with: all of a head for HEAD and ``/body``, a part of one for anything else."""
    method, path, _ = head.split(" ", 2)
    return ANNOUNCED if (method == "HEAD" and path != "/silent") or path == "/body" else b"HTTP/1.1 200 OK\r\nX: "


class SlowSourceTest(testtools.TestCase):
    """One service with two slots for transfers; the server of each test sends a byte every two seconds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = serve_with_web_store(cls, {"max_transfers": 2})

    def setUp(self):
        super().setUp()
        show_log(self, self.service)
        self.server = self.useFixture(DrippingServer(drip, interval=2))

    def locate(self, path):
        """Return an image whose data is at ``path`` of the server; a job begins to read it."""
        image = self.service.create_image()
        answer = self.service.request("POST", f"/v2/images/{image}/locations", json={"url": self.server.url(path)})
        self.assertEqual(202, answer.status_code, answer.text)
        return image

    def ask(self, method, path, body=b""):
        """Send a request and return its connection, from which nothing is read."""
        client = socket.create_connection(("127.0.0.1", self.service.port))
        self.addCleanup(client.close)
        head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nX-Auth-Token: {self.service.token}\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return client

    def delete(self, image):
        self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{image}").status_code)

    def test_a_download_whose_client_has_gone_and_a_job_whose_image_has_gone_end(self):
        whole = self.service.create_image()
        self.assertEqual(204, self.service.upload(whole, b"whole").status_code)
        for path in ("/body", "/head"):
            image = self.locate(path)
            self.assertTrue(self.server.wait_until(1), "the job reads")
            clients = [self.ask("GET", f"/v2/images/{image}/file") for _ in range(2)]
            self.assertTrue(self.server.wait_until(3), "both downloads read")
            self.assertEqual(503, self.service.request("GET", f"/v2/images/{whole}/file").status_code)
            for client in clients:
                client.close()
            self.assertTrue(self.server.wait_until(1, SECONDS), "the downloads ended")
            eventually(
                lambda: self.service.request("GET", f"/v2/images/{whole}/file").content == b"whole",
                "the slots were given back",
            )
            self.delete(image)
            self.assertTrue(self.server.wait_until(0, SECONDS), "the job ended")
        self.assertNotIn("Traceback", self.service.log.read_text())

    def test_a_location_whose_server_is_silent_costs_a_thread_only_while_its_client_waits(self):
        image = self.service.create_image()
        body = f'{{"url": "{self.server.url("/silent")}"}}'.encode()
        client = self.ask("POST", f"/v2/images/{image}/locations", body)
        self.assertTrue(self.server.wait_until(1))
        client.close()
        self.assertTrue(self.server.wait_until(0, SECONDS))

    def test_an_import_ends_with_its_image(self):
        for path in ("/body", "/head"):
            image = self.service.create_image()
            begin_import(self.service, image, web(self.server.url(path)))
            self.assertTrue(self.server.wait_until(1), "the import reads")
            self.delete(image)
            self.assertTrue(self.server.wait_until(0, SECONDS), "the import ended")

    def test_an_import_ends_with_its_worker(self):
        folder = self.useFixture(fixtures.TempDir())
        groups = {"import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port}}
        service = self.useFixture(Service(make_state(folder.join("state"), groups)))
        image = service.create_image()
        begin_import(service, image, web(self.server.url("/body")))
        self.assertTrue(self.server.wait_until(1), "the import reads")
        self.assertEqual(0, service.stop())
        self.assertEqual(0, self.server.open)
