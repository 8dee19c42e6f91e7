"""What the guarded client lets a server cost: time, bytes, memory; and that another thread can end any wait."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fixtures
import testtools

from glance_mini_store.drivers.http import HttpDriver
from glance_mini_store.errors import FetchBroken, FetchCancelled, FetchRefused, RemoteServiceUnavailable, StoreError
from glance_mini_store.web.cancellation import Cancellation
from glance_mini_store.web.client import FetchLimits, Request, WebClient
from glance_mini_store.web.target import Anywhere
from glance_mini_store.web.timeouts import Timeouts
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.store.dripping import DrippingServer

HEAD = b"HTTP/1.1 200 OK\r\nX: "
BODY = response(Content_Length=10**9)
CHUNKS = response(Content_Length=None, Transfer_Encoding="chunked") + b"ffffff\r\n"
TRAILER = response(Content_Length=None, Transfer_Encoding="chunked") + b"1\r\nx\r\n0\r\nX: "
INFORMATIONAL = b"HTTP/1.1 103 Early Hints\r\nX: "
PLACES = {"status": b"H", "head": HEAD, "body": BODY, "chunks": CHUNKS, "trailer": TRAILER, "hints": INFORMATIONAL}
SECONDS = 5
"""What a wait that was ended may still take."""


class BoundsCase(testtools.TestCase):
    def drip(self, begin, interval=0.1):
        return self.useFixture(DrippingServer(begin, interval))

    def read(self, url, **timeouts):
        """Return all that the http driver reads at ``url``."""
        driver = HttpDriver(timeouts=Timeouts(**{"total": 60, "idle": 30, "rate": 0, **timeouts}))
        return b"".join(driver.read(url))

    def unanswered(self):
        """Return a port of all addresses of loopback that takes no further connection."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("0.0.0.0", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", listener.getsockname()[1]))
        return listener.getsockname()[1]


class TestDripping(BoundsCase):
    def test_a_name_with_many_addresses_that_do_not_answer_costs_one_wait(self):
        client = WebClient(Anywhere(lambda host, port: [f"127.0.0.{number}" for number in range(1, 41)]))
        driver = HttpDriver(client, Timeouts(total=60, idle=2))
        started = time.monotonic()
        text = str(self.assertRaises(FetchBroken, driver.read, f"http://many.example:{self.unanswered()}/"))
        self.assertIn("No connection to many.example: it took too long.", text)
        self.assertLess(time.monotonic() - started, 10)

    def test_the_total_time_ends_a_server_that_drips_wherever_it_does(self):
        for place, begin in PLACES.items():
            server = self.drip(begin)
            text = str(self.assertRaises(FetchRefused, self.read, server.url(), total=0.5))
            self.assertIn("longer than 0.5 seconds", text, place)
            self.assertTrue(server.wait_until(0), place)

    def test_the_minimum_rate_ends_it_too(self):
        for place, begin in PLACES.items():
            server = self.drip(begin)
            text = str(self.assertRaises(FetchBroken, self.read, server.url(), rate=1000, window=0.5))
            self.assertIn("less than 1000 bytes per second", text, place)
            self.assertTrue(server.wait_until(0), place)

    def test_the_size_of_what_drips_is_asked_for_a_short_time_only(self):
        for begin in (b"H", HEAD):
            driver = HttpDriver(size_timeout=0.5)
            self.assertRaises(FetchRefused, driver.size, self.drip(begin).url())

    def test_sixty_at_once_end_as_one_does(self):
        server = self.drip(BODY)
        with ThreadPoolExecutor(60) as pool:
            reads = [pool.submit(self.read, server.url(), rate=1000, window=3) for _ in range(60)]
            self.assertTrue(server.wait_until(60))
            for read in reads:
                self.assertIsInstance(read.exception(20), FetchBroken)
        self.assertTrue(server.wait_until(0))

    def test_a_body_without_end_is_stopped_at_the_limit_of_its_size(self):
        server = self.drip(response(Content_Length=None) + bytes(5000))
        client = WebClient()
        for begin in (response(Content_Length=None), response(Content_Length=None, Transfer_Encoding="chunked")):
            server.begin = begin + b"ffffff\r\n" + bytes(5000)
            fetch = client.open(Request(server.url()), FetchLimits(1000, Timeouts(idle=1, rate=10**6, window=1), 0))
            self.addCleanup(fetch.close)
            self.assertRaises(StoreError, list, fetch)
            self.assertTrue(server.wait_until(0))


class TestCancelling(BoundsCase):
    def cancelled(self, server, url=None):
        """Return the error and the seconds with which a read ends that is cancelled while it waits."""
        cancellation = Cancellation()

        def read():
            with cancellation.applied():
                return self.read(url or server.url())

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            self.assertTrue(server.wait_until(1))
            time.sleep(0.2)
            started = time.monotonic()
            cancellation.cancel()
            error = reading.exception(30)
            return error, time.monotonic() - started

    def test_a_wait_ends_at_once_wherever_the_server_drips(self):
        for place, begin in PLACES.items():
            server = self.drip(begin, interval=60)
            error, seconds = self.cancelled(server)
            self.assertIsInstance(error, FetchCancelled, place)
            self.assertLess(seconds, SECONDS)

    def test_the_end_of_a_cancelled_body_is_no_end_of_data(self):
        server = self.drip(response(Content_Length=None) + b"beginning", interval=60)
        self.assertIsInstance(self.cancelled(server)[0], FetchCancelled)

    def test_a_tls_handshake_ends_too(self):
        server = self.useFixture(DrippingServer(interval=60))
        error, seconds = self.cancelled(server, server.url().replace("http:", "https:"))
        self.assertIsInstance(error, FetchCancelled)
        self.assertLess(seconds, SECONDS)

    def test_a_connection_that_is_not_answered_ends_too(self):
        port = self.unanswered()
        cancellation = Cancellation()
        threading.Timer(0.3, cancellation.cancel).start()
        with cancellation.applied():
            started = time.monotonic()
            self.assertRaises(FetchCancelled, self.read, f"http://127.0.0.1:{port}/")
        self.assertLess(time.monotonic() - started, SECONDS)

    def test_what_was_cancelled_opens_no_further_connection(self):
        server = self.useFixture(RawServer(response(b"data")))
        cancellation = Cancellation()
        cancellation.cancel()
        with cancellation.applied():
            self.assertRaises(FetchCancelled, self.read, server.url())
            self.assertRaises(FetchCancelled, WebClient().open, Request(server.url()), FetchLimits(10))
        self.assertEqual([], server.asked)
        self.assertEqual(b"data", self.read(server.url()))

    def test_no_descriptor_is_left_open(self):
        server = self.useFixture(RawServer(response(b"data"), response(status="404 Not Found"), b"nonsense"))
        cancellation = Cancellation()
        with cancellation.applied():
            self.assertEqual(b"data", self.read(server.url()))
            for _ in range(2):
                self.assertRaises(StoreError, self.read, server.url())
        self.assertTrue(cancellation.is_idle)


class TestHeads(BoundsCase):
    def refusal(self, answer):
        server = self.useFixture(RawServer(answer))
        return str(self.assertRaises(FetchRefused, self.read, server.url()))

    def test_a_hundred_headers_pass_and_more_do_not(self):
        for count, passes in ((98, True), (101, False)):
            headers = "".join(f"X-{number}: y\r\n" for number in range(count))
            answer = f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{headers}\r\nok".encode()
            if passes:
                self.assertEqual(b"ok", self.read(self.useFixture(RawServer(answer)).url()))
            else:
                self.assertIn("too many headers", self.refusal(answer))

    def test_lines_are_bounded(self):
        for line in (b"X: " + b"y" * 70_000, b"y" * 70_000):
            self.assertIn("too long", self.refusal(b"HTTP/1.1 200 OK\r\n" + line))
        self.assertIn("too long", self.refusal(b"HTTP/1.1 200 " + b"y" * 70_000))

    def test_informational_answers_are_passed_over_and_have_an_end(self):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        answer = hints * 20 + response(b"data")
        self.assertEqual(b"data", self.read(self.useFixture(RawServer(answer)).url()))
        self.assertIn("too many informational", self.refusal(hints * 5000))
        self.assertIn("too many", self.refusal(b"HTTP/1.1 103 Early Hints\r\n" + b"X: y\r\n" * 200))

    def test_trailers_have_an_end(self):
        chunked = response(b"0\r\n" + b"X: y\r\n" * 200, Content_Length=None, Transfer_Encoding="chunked")
        self.assertIn("too many", self.refusal(chunked))

    def test_what_follows_a_chunk_is_looked_at(self):
        for body in (
            b"5\r\nabcdeXX0\r\n\r\n",
            b"5\r\nabcde0\r\n\r\n",
            b"+5\r\nabcde\r\n0\r\n\r\n",
            b" 5\r\nabcde\r\n0\r\n\r\n",
        ):
            answer = response(body, Content_Length=None, Transfer_Encoding="chunked")
            self.assertIn("framing", self.refusal(answer), body)

    def test_nothing_of_an_address_is_logged_when_headers_cannot_be_read(self):
        log = self.useFixture(fixtures.FakeLogger(level=0))
        server = self.useFixture(RawServer(b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 2\r\n\r\nok"))
        try:
            self.read(server.url("/secret?token=secret"))
        except RemoteServiceUnavailable as error:
            self.assertNotIn("secret", str(error))
        self.assertNotIn("secret", log.output)


class TestSizes(BoundsCase):
    def test_a_length_that_cannot_be_is_an_error_and_no_number(self):
        for length in (2**63, 2**64, 10**30, "-1", "1e3"):
            server = self.useFixture(RawServer(response(b"", Content_Length=length)))
            for call in (HttpDriver().size, HttpDriver().read):
                self.assertIn("length", str(self.assertRaises(FetchRefused, call, server.url())))

    def test_the_largest_size_is_a_size_in_every_header(self):
        head = response(status="405 Method Not Allowed")
        part = response(b"x", status="206 Partial Content", Content_Range=f"bytes 0-0/{2**63 - 1}")
        for answers in ((head, part), (response(b"", Content_Length=2**63 - 1),)):
            self.assertEqual(2**63 - 1, HttpDriver().size(self.useFixture(RawServer(*answers)).url()))

    def test_a_range_of_a_size_that_cannot_be_is_no_size(self):
        head = response(status="405 Method Not Allowed")
        part = response(b"x", status="206 Partial Content", Content_Range=f"bytes 0-0/{2**63}")
        server = self.useFixture(RawServer(head, part))
        self.assertRaises(RemoteServiceUnavailable, HttpDriver().size, server.url())

    def test_more_than_a_get_announces_is_an_error(self):
        server = self.useFixture(RawServer(response(bytes(10**6), Content_Length=1000)))
        self.assertIn("more than the 1000 bytes", str(self.assertRaises(FetchRefused, self.read, server.url())))
