"""Reading request bodies: every framing, every way to read, every way to be broken."""

import hashlib
import json
import os
import time

import testtools

from tests.http_server.running import Shared, eventually

CHUNKED = "Host: test\r\nTransfer-Encoding: chunked\r\n"


def chunked(data, size):
    """Return `data` in chunks of `size` bytes."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class TestWholeBodies(Shared, testtools.TestCase):
    data = os.urandom(3_000_001)

    def expected(self, data=None):
        data = self.data if data is None else data
        return {"count": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def count(self, client, data, headers, query=""):
        client.send(f"PUT /count?{query} HTTP/1.1\r\n{headers}\r\n", data)
        return client.response().json

    def test_fixed_body_is_read_in_pieces_of_any_size(self):
        client = self.client()
        for query in ("piece=1048576", "piece=65536", "piece=1000", "piece=99999999", "piece=1000000&how=readinto"):
            headers = f"Host: test\r\nContent-Length: {len(self.data)}\r\n"
            self.assertEqual(self.expected(), self.count(client, self.data, headers, query), query)

    def test_chunked_body_is_read_in_pieces_of_any_size(self):
        client = self.client()
        for size in (100, 8192, 65536, 70000, 1 << 20, 1 << 23):
            for query in ("piece=1048576", "piece=4096", "piece=1000000&how=readinto"):
                answer = self.count(client, chunked(self.data, size), CHUNKED, query)
                self.assertEqual(self.expected(), answer, (size, query))

    def test_chunked_body_may_arrive_byte_by_byte(self):
        client = self.client()
        client.send(f"PUT /count HTTP/1.1\r\n{CHUNKED}\r\n")
        for byte in chunked(b"x" * 40, 17):
            client.send(bytes([byte]))
        self.assertEqual(self.expected(b"x" * 40), client.response().json)

    def test_chunk_extensions_and_trailers_are_dropped(self):
        client = self.client()
        body = b'3;name=value;other="quoted"\r\nabc\r\n0 ;last\r\nX-Trailer: a\r\nX-Other: b\r\n\r\n'
        self.assertEqual(self.expected(b"abc"), self.count(client, body, CHUNKED))
        self.assertEqual(200, client.request("/small").status)

    def test_chunk_sizes_have_any_number_of_zeros_before_them(self):
        client = self.client()
        self.assertEqual(
            self.expected(b"abc"), self.count(client, b"00000000000000000003\r\nabc\r\n000\r\n\r\n", CHUNKED)
        )

    def test_request_without_a_body_reads_as_empty(self):
        self.assertEqual(self.expected(b""), self.client().request("/count").json)
        self.assertEqual(self.expected(b""), self.client().request("/count", "PUT", headers=CHUNKED_EMPTY).json)

    def test_body_is_iterated_by_lines(self):
        answer = self.client().request("/lines", "PUT", b"one\ntwo\n\nlast")
        self.assertEqual(["one\n", "two\n", "\n", "last"], answer.json)

    def test_input_is_marked_as_terminated(self):
        self.assertIs(True, self.client().request("/environ").json["wsgi.input_terminated"])

    def test_next_request_may_follow_the_body_at_once(self):
        client = self.client()
        client.send(
            f"PUT /count HTTP/1.1\r\n{CHUNKED}\r\n",
            chunked(b"first", 2) + b"PUT /count HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nsecond"
            b"GET /small HTTP/1.1\r\nHost: test\r\n\r\n",
        )
        self.assertEqual(self.expected(b"first"), client.response().json)
        self.assertEqual(self.expected(b"second"), client.response().json)
        self.assertIn("pid", client.response().json)


CHUNKED_EMPTY = "Transfer-Encoding: chunked\r\n\r\n0\r\n"


class TestBrokenBodies(Shared, testtools.TestCase):
    settings = {"io_timeout": 1}

    def errors(self, head, body, close=True):
        """Return what the application saw, asking it twice."""
        mark = self.server.directory / "errors"
        mark.unlink(missing_ok=True)
        client = self.client()
        client.send(f"PUT /errors HTTP/1.1\r\nHost: test\r\n{head}\r\n\r\n", body)
        if close:
            client.close()
        seen = eventually(lambda: mark.exists() and mark.read_text(), "the application read the body")
        return json.loads(seen)

    def test_short_fixed_body_raises_and_goes_on_raising(self):
        self.assertEqual(["broken", "broken"], self.errors("Content-Length: 10", "12345"))

    def test_short_large_fixed_body_raises(self):
        self.assertEqual(["broken", "broken"], self.errors("Content-Length: 3000000", b"x" * 2_000_000))

    def test_chunked_body_with_a_fault_raises(self):
        bodies = {
            "no last chunk": "5\r\n12345\r\n",
            "end within a chunk": "5\r\n123",
            "end within the trailers": "5\r\n12345\r\n0\r\n",
            "no size": "\r\n12345\r\n0\r\n\r\n",
            "garbage size": "xyz\r\n12345\r\n0\r\n\r\n",
            "garbage later": "5\r\n12345\r\nhello\r\n",
            "sign": "+5\r\n12345\r\n0\r\n\r\n",
            "prefix": "0x5\r\n12345\r\n0\r\n\r\n",
            "underscore": "0_5\r\n12345\r\n0\r\n\r\n",
            "negative": "-5\r\n12345\r\n0\r\n\r\n",
            "space before the size": " 5\r\n12345\r\n0\r\n\r\n",
            "huge size": "f" * 17 + "\r\n12345",
            "bare line feed": "5\n12345\r\n0\r\n\r\n",
            "bare carriage return": "5;a\rb\r\n12345\r\n0\r\n\r\n",
            "data longer than the size": "5\r\n1234567\r\n0\r\n\r\n",
            "data without its end": "5\r\n123450\r\n\r\n",
            "endless size line": "5;" + "a" * 100_000,
            "endless trailers": "0\r\n" + "a: b\r\n" * 10_000,
            "trailer that is none": "0\r\nno header\r\n\r\n",
        }
        for name, body in bodies.items():
            seen = self.errors("Transfer-Encoding: chunked", body)
            self.assertEqual(["broken", "broken"], seen, name)

    def test_stalled_body_raises_a_timeout(self):
        for head, body in (
            ("Content-Length: 10", "12345"),
            ("Transfer-Encoding: chunked", "5\r\n123"),
            ("Transfer-Encoding: chunked", "5\r\n12345\r\n"),
        ):
            self.assertEqual(["timeout", "timeout"], self.errors(head, body, close=False), (head, body))

    def test_chunk_of_the_largest_size_is_waited_for_and_a_larger_one_is_refused(self):
        for size, seen in ((2**63 - 1, "timeout"), (2**63, "broken")):
            self.assertEqual([seen, seen], self.errors("Transfer-Encoding: chunked", f"{size:x}\r\n123", close=False))

    def test_error_that_the_application_lets_pass_is_answered(self):
        client = self.client()
        client.send("PUT /count HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        answer = client.response()
        self.assertEqual((400, "close"), (answer.status, answer.headers["connection"]))
        client = self.client()
        client.send("PUT /count HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n123")
        answer = client.response()
        self.assertEqual((408, "close"), (answer.status, answer.headers["connection"]))
        self.assertEqual(b"", client.rest())

    def test_connection_is_not_used_again_after_a_broken_body(self):
        client = self.client()
        client.send(
            "PUT /errors HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
            "zz\r\nGET /small HTTP/1.1\r\nHost: test\r\n\r\n"
        )
        self.assertEqual(422, client.response().status)
        self.assertEqual(b"", client.rest())


class TestContinue(Shared, testtools.TestCase):
    settings = {"io_timeout": 5}
    head = "PUT {} HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n{}\r\n\r\n"

    def test_continue_is_said_when_the_application_reads(self):
        for framing, body in (("Content-Length: 5", b"12345"), ("Transfer-Encoding: chunked", chunked(b"12345", 2))):
            client = self.client()
            client.send(self.head.format("/count", framing))
            self.assertEqual(100, client.response().status)
            client.send(body)
            self.assertEqual(5, client.response().json["count"])
            self.assertEqual(200, client.request("/small").status)

    def test_continue_is_not_said_when_the_application_refuses(self):
        client = self.client()
        client.send(self.head.format("/refuse", "Content-Length: 5"))
        answer = client.response()
        self.assertEqual((403, "close"), (answer.status, answer.headers["connection"]))
        self.assertEqual(b"", client.rest())

    def test_continue_is_not_said_to_a_client_that_did_not_wait(self):
        client = self.client()
        client.send(self.head.format("/count", "Content-Length: 10") + "12345")
        time.sleep(0.2)
        client.send("67890")
        self.assertEqual(200, client.response().status)

    def test_unknown_expectation_is_refused(self):
        client = self.client()
        client.send("PUT /count HTTP/1.1\r\nHost: test\r\nExpect: more\r\nContent-Length: 1\r\n\r\n1")
        self.assertEqual(417, client.response().status)


class TestUnreadBodies(Shared, testtools.TestCase):
    settings = {"io_timeout": 1}
    inner = b"GET /small HTTP/1.1\r\nHost: test\r\n\r\n"

    def test_small_unread_body_is_dropped_and_the_connection_goes_on(self):
        client = self.client()
        answer = client.request("/refuse", "PUT", self.inner * 3)
        self.assertEqual((403, "keep-alive"), (answer.status, answer.headers["connection"]))
        self.assertEqual({"refused": True}, client.request("/refuse").json)

    def test_large_unread_body_ends_the_connection(self):
        client = self.client()
        client.send(f"PUT /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: {1 << 20}\r\n\r\n", self.inner)
        answer = client.response()
        self.assertEqual((403, "close"), (answer.status, answer.headers["connection"]))
        self.assertEqual(b"", client.rest())

    def test_unread_chunked_body_ends_the_connection(self):
        client = self.client()
        client.send(f"PUT /refuse HTTP/1.1\r\n{CHUNKED}\r\n", chunked(self.inner, 1000), self.inner)
        answer = client.response()
        self.assertEqual((403, "close"), (answer.status, answer.headers["connection"]))
        self.assertEqual(b"", client.rest())

    def test_unread_body_that_does_not_come_ends_the_connection(self):
        client = self.client()
        client.send("PUT /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n")
        self.assertEqual(403, client.response().status)
        self.assertEqual(b"", client.rest())

    def test_answer_reaches_a_client_that_is_still_sending(self):
        client = self.client()
        client.send(f"PUT /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: {30 << 20}\r\n\r\n")
        client.send(bytes(30 << 20))
        self.assertEqual(403, client.response().status)
