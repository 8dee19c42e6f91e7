"""Requests wait for their small bodies, and answers for their readers, without a thread."""

import ssl
import time

import fixtures
import testtools

from tests.http_server.running import Client, Server, Shared, SharedWithTLS, certificate, eventually
from tests.http_server.test_bodies import CHUNKED, chunked

STREAMED = "PUT /count"
SMALL = "GET /small HTTP/1.1\r\nHost: test\r\n\r\n"
KIB, MIB = 1 << 10, 1 << 20


def post(path, length, more=""):
    return f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{more}\r\n"


class TestSmallBodies(Shared, testtools.TestCase):
    settings = {"streamed": STREAMED, "small_body": 100 * KIB, "io_timeout": 30}

    def test_fixed_body_is_whole(self):
        client = self.client()
        client.send(post("/count", 6), "abc")
        time.sleep(0.1)
        client.send("def")
        self.assertEqual(6, client.response().json["count"])

    def test_chunked_body_may_arrive_byte_by_byte(self):
        client = self.client()
        client.send(f"POST /count HTTP/1.1\r\n{CHUNKED}\r\n")
        for byte in chunked(b"x" * 40, 17)[:-2] + b"X-Trailer: a\r\n\r\n":
            client.send(bytes([byte]))
        self.assertEqual(40, client.response().json["count"])

    def test_next_request_may_follow_the_body_at_once(self):
        client = self.client()
        head = f"POST /count HTTP/1.1\r\n{CHUNKED}\r\n".encode()
        client.send(head + chunked(b"first", 2) + post("/count", 3).encode() + b"two", head + chunked(b"three", 9))
        client.send(SMALL)
        self.assertEqual([5, 3, 5], [client.response().json["count"] for _ in range(3)])
        self.assertIn("pid", client.response().json)

    def test_client_that_waits_is_asked_for_its_body(self):
        for framing, body in (("Content-Length: 5", b"12345"), ("Transfer-Encoding: chunked", chunked(b"12345", 2))):
            client = self.client()
            client.send(f"POST /count HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n{framing}\r\n\r\n")
            self.assertEqual(100, client.response().status)
            client.send(body)
            self.assertEqual(5, client.response().json["count"])
            self.assertEqual(200, client.request("/small").status)

    def test_client_that_does_not_wait_is_not_asked(self):
        client = self.client()
        client.send(post("/count", 5, "Expect: 100-continue\r\n") + "12345")
        self.assertEqual(200, client.response().status)

    def test_body_that_the_application_does_not_read_is_dropped_and_the_connection_goes_on(self):
        client = self.client()
        client.send(post("/refuse", 5), "12345", SMALL)
        self.assertEqual([403, 200], [client.response().status, client.response().status])

    def test_larger_body_is_left_to_the_application_at_once(self):
        client = self.client()
        client.send(post("/refuse", 101 * KIB))
        self.assertEqual(403, client.response().status)

    def test_chunked_body_beyond_the_limit_is_refused_before_its_end(self):
        client = self.client()
        client.send(f"POST /limited?limit={100 * KIB} HTTP/1.1\r\n{CHUNKED}\r\n", chunked(b"x" * 200 * KIB, 500)[:-5])
        self.assertEqual(413, client.response().status)

    def test_announced_chunk_beyond_the_limit_takes_no_thread(self):
        for _ in range(6):
            client = self.client()
            client.send(f"POST /limited?limit={100 * KIB} HTTP/1.1\r\n{CHUNKED}\r\nfffffff\r\nabc")
        self.assertEqual(200, self.client().request("/small").status)

    def test_chunks_that_are_mostly_framing_are_refused(self):
        client = self.client()
        client.send(f"POST /count HTTP/1.1\r\n{CHUNKED}\r\n", chunked(b"x" * 60 * KIB, 1))
        self.assertEqual(400, client.response().status)

    def test_malformed_chunks_are_refused_without_waiting_for_more(self):
        client = self.client()
        client.send(f"POST /count HTTP/1.1\r\n{CHUNKED}\r\nxyz\r\n")
        self.assertEqual(400, client.response().status)

    def test_streamed_body_reaches_the_application_while_it_arrives(self):
        client = self.client()
        client.send("PUT /co%75nt HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(100, client.response().status)


class TestLateBodies(Shared, testtools.TestCase):
    settings = {"streamed": STREAMED, "body_timeout": 1, "io_timeout": 60}

    def test_body_that_does_not_come_is_answered(self):
        client = self.client()
        client.send(post("/count", 5), "123")
        answer = client.response()
        self.assertEqual((408, "close"), (answer.status, answer.headers["connection"]))
        self.assertEqual(b"", client.rest())

    def test_body_that_keeps_dripping_is_answered(self):
        client = self.client()
        client.send(post("/count", 500))
        client.socket.settimeout(0.1)

        def drip():
            client.send("x")
            try:
                return client.response().status == 408
            except TimeoutError:
                return False

        eventually(drip, "the server answered")

    def test_application_sees_which_way_a_body_failed(self):
        for close, expected in ((False, "timeout"), (True, "broken")):
            mark = self.server.directory / "errors"
            mark.unlink(missing_ok=True)
            client = self.client()
            client.send(post("/errors", 5), "123")
            if close:
                client.close()
            eventually(lambda mark=mark: mark.exists() and mark.read_text(), "the application read the body")
            self.assertEqual(f'["{expected}", "{expected}"]', mark.read_text())


class TestManyWaiting(testtools.TestCase):
    """More clients are slow than there are threads."""

    tls = None
    tls_settings = {}

    def start(self, **settings):
        server = self.useFixture(Server(**{"threads": 2, "streamed": STREAMED, **self.tls_settings, **settings}))
        self.server = server
        return server

    def client(self, **arguments):
        return Client(self, self.server, self.tls, **arguments)

    def occupy(self, count, *data, **arguments):
        clients = [self.client(**arguments) for _ in range(count)]
        for client in clients:
            client.send(*data)
        return clients

    def assert_small_request_is_answered(self):
        self.assertEqual(200, self.client().request("/small").status)

    def lists(self):
        mark = self.server.directory / "lists"
        return len(mark.read_text()) if mark.exists() else 0

    def test_requests_are_answered_beside_slow_bodies(self):
        self.start()
        slow = self.occupy(20, post("/count", 1000), "a")
        slow += self.occupy(20, f"POST /count HTTP/1.1\r\n{CHUNKED}\r\n", "3e8\r\na")
        slow += self.occupy(20, post("/count", 1000, "Expect: 100-continue\r\n"))
        slow += self.occupy(20, "\r\n" + post("/count", 1000, "Expect: 100-continue\r\nExpect: 100-continue\r\n"))
        self.assert_small_request_is_answered()
        slow[0].send("a" * 999)
        self.assertEqual(1000, slow[0].response().json["count"])

    def test_requests_are_answered_beside_answers_that_nobody_reads(self):
        self.start()
        self.occupy(20, "GET /list?kib=8192 HTTP/1.1\r\nHost: test\r\n\r\n" * 20, receive_buffer=4096)
        eventually(lambda: self.lists() >= 20, "each has its first answer")
        self.assert_small_request_is_answered()

    def test_no_further_request_begins_while_an_answer_is_not_taken(self):
        self.start()
        (client,) = self.occupy(1, "GET /list?kib=8192 HTTP/1.1\r\nHost: test\r\n\r\n" * 3, receive_buffer=4096)
        self.assert_small_request_is_answered()
        eventually(lambda: self.lists() == 1, "the first answer was made")
        time.sleep(0.5)
        self.assertEqual(1, self.lists())
        self.assertEqual([8 * MIB] * 3, [len(client.response().body) for _ in range(3)])

    def test_answer_that_nobody_reads_ends(self):
        self.start(answer_timeout=1)
        (client,) = self.occupy(1, "GET /list?kib=8192 HTTP/1.1\r\nHost: test\r\n\r\n", receive_buffer=4096)
        eventually(lambda: "stalled during the response" in self.server.log, "the server gave up")
        self.assertLess(len(client.rest()), 8 * MIB)

    def test_largest_of_the_waiting_bodies_gives_way_when_there_are_too_many(self):
        self.start(waiting_bytes=MIB, body_timeout=60)
        small = self.occupy(3, post("/count", 200 * KIB), "a" * 100 * KIB)
        large = self.occupy(1, post("/count", MIB), "a" * 900 * KIB)[0]
        self.assertEqual(408, large.response().status)
        for client in small:
            client.send("a" * 100 * KIB)
            self.assertEqual(200 * KIB, client.response().json["count"])

    def test_largest_of_the_waiting_answers_gives_way_when_there_are_too_many(self):
        self.start(waiting_bytes=12 * MIB)
        clients = [
            self.occupy(1, f"GET /list?kib={kib} HTTP/1.1\r\nHost: test\r\n\r\n", receive_buffer=4096)[0]
            for kib in (5000, 20_000, 5001)
        ]
        eventually(lambda: "stalled during the response" in self.server.log, "the largest gave way")
        small, large, other = clients
        self.assertLess(len(large.rest()), 20_000 * KIB)
        self.assertEqual([5000 * KIB, 5001 * KIB], [len(each.response().body) for each in (small, other)])

    def test_stop_waits_for_an_answer_that_is_being_read(self):
        server = self.start()
        (client,) = self.occupy(1, "GET /list?kib=8192 HTTP/1.1\r\nHost: test\r\n\r\n", receive_buffer=4096)
        eventually(lambda: self.lists() == 1, "the answer was made")
        server.process.terminate()
        time.sleep(2.5)
        self.assertEqual(8 * MIB, len(client.response().body))
        self.assertEqual(0, server.end()[0])


class TestManyWaitingWithTLS(TestManyWaiting):
    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        certificate_file, key_file, self.tls = certificate(directory)
        self.tls_settings = {"tls_certificate": certificate_file, "tls_key": key_file}


class RefusalCases:
    """What must hold with and without TLS."""

    tls = None

    def test_client_that_sends_all_of_a_large_body_can_read_the_refusal(self):
        for method in ("POST", "PUT"):
            client = self.client(tls=self.tls)
            client.send(f"{method} /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: {200 * MIB}\r\n\r\n")
            for _ in range(200):
                client.send(b"x" * MIB)
            self.assertEqual(403, client.response().status)

    def test_client_that_sends_without_end_is_not_listened_to_for_ever(self):
        client = self.client(tls=self.tls)
        client.send("POST /refuse HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")

        def send():
            try:
                client.send(b"100000\r\n" + b"x" * MIB + b"\r\n")
            except (ConnectionError, ssl.SSLError):
                return True
            return False

        self.assertTrue(any(send() for _ in range(2000)))

    def test_large_body_after_a_malformed_head_does_not_destroy_the_answer(self):
        client = self.client(tls=self.tls)
        client.send("POST /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: +9\r\n\r\n")
        for _ in range(100):
            client.send(b"x" * MIB)
        self.assertEqual(400, client.response().status)


class TestRefusals(RefusalCases, Shared, testtools.TestCase):
    settings = {"streamed": STREAMED}


class TestRefusalsWithTLS(RefusalCases, SharedWithTLS, testtools.TestCase):
    settings = {"streamed": STREAMED}
