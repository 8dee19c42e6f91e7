"""Clients that are slow on purpose, and the real service: small requests and transfers of others go on."""

import gzip
import json
import socket

import fixtures
import requests
import testtools

from tests.functional.faults import make_state, serve_with_web_store, show_log
from tests.functional.service import Service
from tests.http_server.running import eventually
from tests.unit.store.dripping import DrippingServer

MIB = 1 << 20


class SlowClientsTest(testtools.TestCase):
    """One process with few threads; each kind of attack has more connections."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = serve_with_web_store(cls, {"threads": 8, "max_transfers": 3, "max_location_checks": 2})

    def setUp(self):
        super().setUp()
        show_log(self, self.service)

    def attack(self, count, text):
        """Send ``text`` on ``count`` connections, which are kept and never read."""
        clients = []
        for _ in range(count):
            client = socket.socket()
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.service.port))
            client.sendall(text.encode())
            clients.append(client)
        return clients

    def head(self, method, path, length):
        return (
            f"{method} {path} HTTP/1.1\r\nHost: test\r\nX-Auth-Token: {self.service.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )

    def assert_others_go_on(self):
        """Small requests are answered, and an upload and its download pass."""
        self.assertEqual(200, self.service.request("GET", "/healthcheck").status_code)
        image = self.service.create_image()
        self.assertEqual(204, self.service.upload(image, b"x" * MIB).status_code)
        self.assertEqual(MIB, len(self.service.request("GET", f"/v2/images/{image}/file").content))

    def test_slow_bodies_of_any_call_hold_up_nobody(self):
        image = self.service.create_image()
        for method, path in (
            ("POST", "/v2/images"),
            ("PATCH", f"/v2/images/{image}"),
            ("PUT", f"/v2/images/{image}/members/file"),
            ("PUT", f"/v2/images/{image}%2Fmembers/file"),
            ("POST", f"/v2/images/{image}/import"),
        ):
            self.attack(20, self.head(method, path, 500) + "{")
        self.assert_others_go_on()

    def test_answers_that_nobody_reads_hold_up_nobody(self):
        self.attack(40, "GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 150)
        self.assert_others_go_on()

    def test_locations_on_servers_that_drip_hold_up_nobody(self):
        server = self.useFixture(DrippingServer(lambda head: b"HTTP/1.1 200 OK\r\nX: ", interval=2))
        body = json.dumps({"url": server.url("/silent")})
        for _ in range(20):
            image = self.service.create_image()
            self.attack(1, self.head("POST", f"/v2/images/{image}/locations", len(body)) + body)
        self.assertTrue(server.wait_until(1), "one is looked at")
        self.assert_others_go_on()
        answer = self.service.request("POST", f"/v2/images/{self.service.create_image()}/locations", data=body)
        self.assertEqual((503, "5"), (answer.status_code, answer.headers["Retry-After"]))

    def test_slow_body_is_answered_in_the_form_that_the_client_asks_for(self):
        (client,) = self.attack(1, self.head("POST", "/v2/images", 500) + "{")
        client.settimeout(60)
        answer = client.recv(4096)
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)

    def test_client_that_sends_all_of_a_large_body_reads_why_it_is_refused(self):
        body = b" " * (200 * MIB)
        for headers in ({}, {"Expect": "100-continue"}):
            answer = self.service.request(
                "POST", "/v2/images", data=body, headers={"Content-Type": "application/json", **headers}
            )
            self.assertEqual(413, answer.status_code)
            self.assertIn("larger than the limit", answer.text)

    def test_chunked_body_beyond_the_limit_is_refused(self):
        parts = (b" " * MIB for _ in range(20))
        answer = self.service.request("POST", "/v2/images", data=parts, headers={"Content-Type": "application/json"})
        self.assertEqual(413, answer.status_code)

    def test_large_answers_are_compressed_for_clients_that_ask(self):
        url = self.service.cloud["image_endpoint_override"]
        plain = requests.get(f"{url}/openapi.json", headers={"Accept-Encoding": "identity"}, timeout=30)
        packed = requests.get(f"{url}/openapi.json", headers={"Accept-Encoding": "gzip"}, timeout=30, stream=True)
        data = packed.raw.read(decode_content=False)
        self.assertEqual(plain.content, gzip.decompress(data))
        self.assertLess(5 * len(data), len(plain.content))

    def test_service_stops_in_order_while_clients_are_slow(self):
        folder = self.useFixture(fixtures.TempDir())
        service = self.useFixture(Service(make_state(folder.join("state"))))
        client = socket.create_connection(("127.0.0.1", service.port))
        self.addCleanup(client.close)
        client.sendall(self.head("POST", "/v2/images", 500).encode())
        eventually(lambda: service.request("GET", "/healthcheck").status_code == 200, "it answers")
        self.assertEqual(0, service.stop())
