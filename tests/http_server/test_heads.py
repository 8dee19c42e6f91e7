"""Request heads: what is refused, so that nobody else can read another request out of the same bytes."""

import socket

import testtools

from tests.http_server.running import Shared

SECOND = "GET /small HTTP/1.1\r\nHost: test\r\n\r\n"

REFUSED = {
    "Content-Length twice": "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length twice, different": "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length as a list": "Content-Length: 5, 5",
    "Content-Length with Transfer-Encoding": "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding with Content-Length": "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "signed length": "Content-Length: +3",
    "negative length": "Content-Length: -3",
    "length with an underscore": "Content-Length: 1_0",
    "hexadecimal length": "Content-Length: 0x5",
    "length with a fraction": "Content-Length: 5.0",
    "length in superscript": "Content-Length: \xb2",
    "empty length": "Content-Length:",
    "length of too many digits": "Content-Length: " + "9" * 30,
    "length beyond 64 bits with a sign": f"Content-Length: {2**63}",
    "gzip, chunked": "Transfer-Encoding: gzip, chunked",
    "chunked, gzip": "Transfer-Encoding: chunked, gzip",
    "chunked twice": "Transfer-Encoding: chunked, chunked",
    "chunked in two headers": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "identity": "Transfer-Encoding: identity",
    "identity, chunked": "Transfer-Encoding: identity, chunked",
    "chunked, identity": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "unknown coding": "Transfer-Encoding: xchunked",
    "empty coding": "Transfer-Encoding:",
    "coding with a parameter": "Transfer-Encoding: chunked;q=1",
    "coding in quotes": 'Transfer-Encoding: "chunked"',
    "vertical tab before chunked": "Transfer-Encoding: \x0bchunked",
    "space before the colon": "Transfer-Encoding : chunked",
    "tab before the colon": "Content-Length\t: 5",
    "folded header": "X-Folded: a\r\n Content-Length: 5",
    "folded coding": "Transfer-Encoding:\r\n chunked",
    "space before the first name": " X-First: a",
    "bare line feed in a header": "X-A: a\nContent-Length: 5",
    "bare carriage return in a header": "X-A: a\rContent-Length: 5",
    "NUL in a header": "X-A: a\0b",
    "no colon": "nonsense",
    "empty name": ": value",
    "two hosts": "Host: other",
}

REFUSED_LINES = {
    "no version": "GET /small",
    "lower-case method": "get /small HTTP/1.1",
    "control character in the path": "GET /sm\x01all HTTP/1.1",
    "bytes beyond ASCII in the path": "GET /\xe9 HTTP/1.1",
    "two spaces": "GET  /small HTTP/1.1",
    "HTTP/2": "GET /small HTTP/2.0",
    "HTTP/0.9": "GET /small HTTP/0.9",
    "long version": "GET /small HTTP/1.10",
    "no target": "GET HTTP/1.1",
    "garbage": "\x16\x03\x01\x02\x00\x01\x00",
}


class TestRefusedHeads(Shared, testtools.TestCase):
    def assert_refused(self, name, *request):
        """The answer is 400 or 501 and the last thing on the connection, though a second request follows."""
        client = self.client()
        client.send(*request, SECOND)
        answer = client.response()
        self.assertIn(answer.status, (400, 501), name)
        self.assertEqual("close", answer.headers["connection"], name)
        self.assertEqual(b"", client.rest(), name)

    def test_ambiguous_headers_are_refused_and_nothing_behind_them_is_read(self):
        for name, header in REFUSED.items():
            self.assert_refused(name, f"PUT /count HTTP/1.1\r\nHost: test\r\n{header}\r\n\r\n", "0\r\n\r\n")

    def test_malformed_request_lines_are_refused(self):
        for name, line in REFUSED_LINES.items():
            self.assert_refused(name, f"{line}\r\nHost: test\r\n\r\n")

    def test_every_length_up_to_the_largest_is_accepted(self):
        for length in ("0", "00000000000000000000000000000", str(10**18), str(2**63 - 1)):
            client = self.client()
            client.send(f"PUT /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n")
            self.assertEqual(403, client.response().status, length)

    def test_chunked_body_of_http_1_0_is_refused(self):
        self.assert_refused("HTTP/1.0", "PUT /count HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_lines_that_end_with_line_feeds_are_refused_without_waiting_for_more(self):
        client = self.client()
        client.send("GET /small HTTP/1.1\nHost: test\n\n")
        self.assertEqual(400, client.response().status)

    def test_tls_on_a_port_without_it_is_refused_without_waiting_for_more(self):
        client = self.client()
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertEqual(400, client.response().status)

    def test_long_request_line_is_refused(self):
        client = self.client()
        client.send(f"GET /small?{'a' * 9000} HTTP/1.1\r\nHost: test\r\n\r\n")
        self.assertEqual(414, client.response().status)

    def test_long_head_is_refused_before_its_end(self):
        client = self.client()
        client.send("GET /small HTTP/1.1\r\nX-Long: " + "a" * 70_000)
        answer = client.response()
        self.assertEqual((431, "close"), (answer.status, answer.headers["connection"]))

    def test_too_many_headers_are_refused(self):
        headers = "".join(f"X-{number}: a\r\n" for number in range(101))
        client = self.client()
        client.send(f"GET /small HTTP/1.1\r\n{headers}\r\n")
        self.assertEqual(431, client.response().status)

    def test_long_header_up_to_the_limit_is_accepted(self):
        self.assertEqual(200, self.client().request("/small", headers=f"X-Token: {'a' * 16_000}\r\n").status)
        self.assertEqual(431, self.client().request("/small", headers=f"X-Token: {'a' * 17_000}\r\n").status)

    def test_response_to_a_refused_head_survives_a_client_that_goes_on_sending(self):
        client = self.client()
        client.send("PUT /count HTTP/1.1\r\nHost: test\r\nContent-Length: +9\r\n\r\n", b"x" * (8 << 20))
        self.assertEqual(400, client.response().status)


class TestAcceptedHeads(Shared, testtools.TestCase):
    def test_head_may_arrive_byte_by_byte(self):
        client = self.client()
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for character in SECOND:
            client.send(character)
        self.assertEqual(200, client.response().status)

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.client()
        client.send(SECOND + "GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n" + SECOND[:-2])
        self.assertEqual([200, 404], [client.response().status, client.response().status])
        client.send("\r\n")
        self.assertEqual(200, client.response().status)

    def test_header_names_with_underscores_do_not_pass_for_others(self):
        answer = self.client().request("/environ", headers="X_Roles: admin\r\nX-Project: a\r\n")
        self.assertNotIn("HTTP_X_ROLES", answer.json)
        self.assertEqual("a", answer.json["HTTP_X_PROJECT"])

    def test_forwarding_headers_are_left_to_the_application(self):
        headers = "X-Forwarded-Proto: https\r\nScript-Name: /other\r\nPath-Info: /small\r\n"
        answer = self.client().request("/environ", headers=headers)
        self.assertEqual(("http", ""), (answer.json["wsgi.url_scheme"], answer.json["SCRIPT_NAME"]))

    def test_http_1_0_is_answered_and_ends(self):
        client = self.client()
        client.send("GET /small HTTP/1.0\r\n\r\n")
        self.assertEqual(200, client.response().status)
        self.assertEqual(b"", client.rest())

    def test_connection_is_closed_when_asked(self):
        client = self.client()
        self.assertEqual("close", client.request("/small", headers="Connection: close\r\n").headers["connection"])
        self.assertEqual(b"", client.rest())

    def test_failure_of_the_application_is_500_without_details(self):
        answer = self.client().request("/fail")
        self.assertEqual(500, answer.status)
        self.assertNotIn(b"no such thing", answer.body)
