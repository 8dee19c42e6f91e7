"""Clients that are slow or silent: they end after a while, and others are answered meanwhile.

The time-outs of these servers are one or two seconds; the tests wait for what must happen and do not measure when.
"""

import time

import fixtures
import testtools

from tests.http_server.running import Server, Shared, certificate, eventually

HALF_HEAD = "GET /small HTTP/1.1\r\nHost: te"
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
MIB = 1 << 20


class TestSilentClients(Shared, testtools.TestCase):
    settings = {"io_timeout": 1, "keepalive": 1}

    def test_connection_without_a_request_ends(self):
        self.assertEqual(b"", self.client().rest())

    def test_half_sent_head_ends(self):
        client = self.client()
        client.send(HALF_HEAD)
        self.assertEqual(b"", client.rest())

    def test_head_that_keeps_dripping_ends(self):
        client = self.client()
        client.send(HALF_HEAD)

        def drip():
            try:
                client.send("a")
            except ConnectionError:
                return True
            time.sleep(0.2)
            return False

        eventually(drip, "the server ended the connection")

    def test_reader_that_stops_ends_the_stream(self):
        client = self.client(receive_buffer=4096)
        client.send("GET /stream?count=64 HTTP/1.1\r\nHost: test\r\n\r\n")
        eventually((self.server.directory / "stream-closed").exists, "the application's stream was closed")
        self.assertLess(len(client.rest()), 64 * MIB)

    def test_reader_that_stops_ends_the_sending_of_a_file(self):
        with (self.server.directory / "large").open("wb") as file:
            file.truncate(64 * MIB)
        client = self.client(receive_buffer=4096)
        client.send("GET /file?name=large HTTP/1.1\r\nHost: test\r\n\r\n")
        eventually(lambda: "stalled during the response" in self.server.log, "the server gave up")
        self.assertLess(len(client.rest()), 64 * MIB)


class TestSlowClients(Shared, testtools.TestCase):
    settings = {"io_timeout": 120, "keepalive": 1, "minimum_rate": 2000, "rate_window": 2}

    def test_body_below_the_minimum_rate_ends(self):
        client = self.client()
        client.send("PUT /count HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n")

        def drip():
            try:
                client.send("a")
            except ConnectionError:
                return True
            client.socket.settimeout(0.1)
            try:
                return client.response().status == 408
            except TimeoutError:
                return False

        eventually(drip, "the upload was ended")

    def test_slow_body_above_the_minimum_rate_is_read_to_its_end(self):
        client = self.client()
        client.send("PUT /count HTTP/1.1\r\nHost: test\r\nContent-Length: 500000\r\n\r\n")
        for _ in range(25):
            client.send("a" * 20_000)
            time.sleep(0.1)
        self.assertEqual(500_000, client.response().json["count"])

    def test_idle_connection_ends_soon_after_its_request(self):
        client = self.client()
        self.assertEqual(200, client.request("/small").status)
        self.assertEqual(b"", client.rest())

    def test_time_of_the_application_is_not_held_against_the_client(self):
        client = self.client()
        client.send("PUT /sleep?seconds=2 HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n")
        time.sleep(0.2)
        client.send("1234567890")
        self.assertEqual(200, client.response().status)
        self.assertEqual(200, client.request("/small").status)


class TestSlowReaders(Shared, testtools.TestCase):
    settings = {"io_timeout": 2, "minimum_rate": 1000, "rate_window": 2}

    def slow_read(self, path):
        """Read with pauses; the buffers of the server stay full for longer than its time-out."""
        client = self.client(receive_buffer=65536)
        client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        for _ in range(30):
            time.sleep(0.1)
            client.socket.recv(40_000)
        return client.rest()

    def test_slow_reader_gets_all_of_a_stream(self):
        self.assertTrue(self.slow_read("/stream?count=16").endswith(b"s"))

    def test_slow_reader_gets_all_of_a_file(self):
        (self.server.directory / "file").write_bytes(b"f" * 16 * MIB + b"end")
        self.assertTrue(self.slow_read("/file?name=file").endswith(b"end"))


class TestManySilentClients(testtools.TestCase):
    def test_requests_are_answered_beside_more_half_sent_heads_than_there_are_threads(self):
        server = self.useFixture(Server(threads=2))
        self._occupy(server, 100, HALF_HEAD)
        self._occupy(server, 20, "")
        self.assertEqual(200, self._client(server).request("/small").status)

    def test_requests_are_answered_beside_more_half_handshakes_than_there_are_threads(self):
        directory = self.useFixture(fixtures.TempDir()).path
        certificate_file, key_file, tls = certificate(directory)
        server = self.useFixture(Server(threads=2, tls_certificate=certificate_file, tls_key=key_file))
        self._occupy(server, 20, HALF_HELLO)
        self._occupy(server, 20, HALF_HEAD, tls)
        self.assertEqual(200, self._client(server, tls).request("/small").status)

    def test_oldest_waiting_connection_makes_room_when_there_are_too_many(self):
        server = self.useFixture(Server(threads=2))
        oldest = self._client(server)
        oldest.send(HALF_HEAD)
        for _ in range(4):
            self._occupy(server, 150, HALF_HEAD)
        self.assertEqual(200, self._client(server).request("/small").status)
        self.assertEqual(b"", oldest.rest())

    def test_client_that_does_not_close_holds_up_nobody(self):
        server = self.useFixture(Server(threads=2))
        for _ in range(20):
            lingering = self._client(server)
            self.assertEqual(200, lingering.request("/small", headers="Connection: close\r\n").status)
        self.assertEqual(200, self._client(server).request("/small").status)

    def test_requests_are_answered_beside_slow_uploads(self):
        server = self.useFixture(Server(threads=20))
        for _ in range(16):
            upload = self._client(server)
            upload.send("PUT /count HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n", "a" * 10_000)
        self.assertEqual(200, self._client(server).request("/small").status)

    def _client(self, server, tls=None):
        return server.client(self, tls=tls)

    def _occupy(self, server, count, data, tls=None):
        for _ in range(count):
            self._client(server, tls).send(data)
