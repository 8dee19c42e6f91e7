"""Answers that are files: whole, in part, to HEAD, with and without TLS."""

import os

import testtools

from tests.http_server.running import Shared, SharedWithTLS

SECOND = "GET /small HTTP/1.1\r\nHost: test\r\n\r\n"
DATA = os.urandom(3_000_000)


class FileCases:
    """What must hold whether the file is sent by the system or by the process."""

    tls = None

    def setUp(self):
        super().setUp()
        (self.server.directory / "file").write_bytes(DATA)

    def get(self, query="", method="GET"):
        return self.client(tls=self.tls).request(f"/file?name=file&{query}", method)

    def test_whole_file_is_sent(self):
        self.assertTrue(self.get().body == DATA)

    def test_file_with_holes_is_sent_whole_and_in_part(self):
        expected = bytes(5 << 20) + DATA + bytes((6 << 20) + 7)
        with open(self.server.directory / "file", "wb") as file:
            file.seek(5 << 20)
            file.write(DATA)
            file.truncate(len(expected))
        self.assertTrue(self.get().body == expected)
        for offset, length in ((0, 1), (77, 6_000_000), (5_000_000, 9_000_000), (9_999_999, 4_000_000)):
            part = self.get(f"offset={offset}&length={length}").body
            self.assertTrue(part == expected[offset : offset + length], (offset, length))

    def test_part_of_a_file_is_sent_and_the_connection_goes_on(self):
        client = self.client(tls=self.tls)
        for offset, length in ((3, 100_000), (2_999_999, 1), (1000, 2_000_000), (0, 0), (3_000_000, 0)):
            answer = client.request(f"/file?name=file&offset={offset}&length={length}")
            self.assertTrue(answer.body == DATA[offset : offset + length], (offset, length))

    def test_file_like_object_with_few_methods_is_sent(self):
        self.assertTrue(self.get("bare=1&offset=77&length=1000000").body == DATA[77:1_000_077])

    def test_head_request_gets_no_body_and_the_connection_goes_on(self):
        client = self.client(tls=self.tls)
        answer = client.request("/file?name=file", "HEAD")
        self.assertEqual("3000000", answer.headers["content-length"])
        self.assertEqual(200, client.request("/small").status)
        self.assertNotIn("body bytes", self.server.log)

    def test_file_that_is_shorter_than_promised_ends_the_connection(self):
        client = self.client(tls=self.tls)
        client.send("GET /file?name=file&offset=10&length=3000000 HTTP/1.1\r\nHost: test\r\n\r\n" + SECOND)
        self.assertTrue(client.rest().endswith(DATA[-1000:]))

    def test_parts_of_files_are_sent_between_bytes_and_the_connection_goes_on(self):
        client = self.client(tls=self.tls)
        for _ in range(2):
            answer = client.request("/parts")
            self.assertTrue(answer.body == b"before" + DATA[1000:3000] + DATA + b"behind")
        self.assertTrue((self.server.directory / "parts-ended").exists())
        size = str(len(DATA) + 2012)
        sent = [line.split()[3] for line in self.requests() if line.startswith("/parts 200 0 ")]
        self.assertEqual([size, size], sent[-2:])

    def requests(self):
        """The lines that the application has written of requests."""
        return (self.server.directory / "requests").read_text().splitlines()


class TestFiles(FileCases, Shared, testtools.TestCase):
    def test_part_of_a_file_that_is_shorter_than_promised_ends_the_connection(self):
        client = self.client(tls=self.tls)
        client.send("GET /parts?lost=10 HTTP/1.1\r\nHost: test\r\n\r\n" + SECOND)
        self.assertTrue(client.rest().endswith(DATA[-1000:]))


class TestFilesWithTLS(FileCases, SharedWithTLS, testtools.TestCase):
    def test_scheme_is_https(self):
        self.assertEqual("https", self.client(tls=self.tls).request("/environ").json["wsgi.url_scheme"])

    def test_large_body_is_read(self):
        answer = self.client(tls=self.tls).request("/count", "PUT", DATA)
        self.assertEqual(len(DATA), answer.json["count"])

    def test_requests_sent_at_once_are_answered_in_order(self):
        client = self.client(tls=self.tls)
        client.send(SECOND + "GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n")
        self.assertEqual([200, 404], [client.response().status, client.response().status])

    def test_request_without_tls_gets_an_explanation(self):
        client = self.client()
        client.send(SECOND)
        answer = client.response()
        self.assertEqual(400, answer.status)
        self.assertIn(b"HTTPS", answer.body)
        self.assertEqual(b"", client.rest())

    def test_garbage_instead_of_a_handshake_ends_the_connection(self):
        client = self.client()
        client.send(b"\0\1\2\3\4\5\6\7 garbage")
        self.assertNotIn(b"HTTP", client.rest())
