"""Uploads whose bodies do not come to their end, or hide a second request."""

import socket

import testtools

from tests.functional.faults import (
    KNOWN,
    MIB,
    UNKNOWN,
    SharedService,
    connect,
    files_of,
    framing,
    part_of,
    status_of,
)
from tests.http_server.running import eventually

EARLY_ENDS = {
    "short of its Content-Length": (KNOWN, part_of(KNOWN, b"x" * 2 * MIB)),
    "without a byte": (KNOWN, b""),
    "in a chunk": (UNKNOWN, b"100000\r\n" + b"x" * 1000),
    "between two chunks": (UNKNOWN, part_of(UNKNOWN, b"x" * 2 * MIB)),
    "before the end of the trailers": (UNKNOWN, part_of(UNKNOWN, b"x" * MIB) + b"0\r\n"),
}

GARBAGE = {
    "a size that is no number": b"zz\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": b"5\r\nhello, world\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
}

SMUGGLED = {
    "two lengths": ("Content-Length: 5", "Content-Length: 5"),
    "two different lengths": ("Content-Length: 5", "Content-Length: 500"),
    "a list of lengths": ("Content-Length: 5, 5",),
    "length and coding": ("Content-Length: 5", "Transfer-Encoding: chunked"),
    "coding and length": ("Transfer-Encoding: chunked", "Content-Length: 5"),
    "a signed length": ("Content-Length: +3",),
    "an underscore in the length": ("Content-Length: 1_0",),
    "a negative length": ("Content-Length: -3",),
    "two codings": ("Transfer-Encoding: gzip, chunked",),
    "two codings, chunked first": ("Transfer-Encoding: chunked, gzip",),
    "an unknown coding": ("Transfer-Encoding: xchunked",),
}


class BrokenBodyTest(SharedService, testtools.TestCase):
    options = {"server": {"io_timeout": 2}}

    def test_body_that_ends_early_is_400(self):
        for name, (kind, data) in EARLY_ENDS.items():
            image = self.service.create_image()
            client = self.upload(image, framing(kind, 16 * MIB))
            client.send(data)
            client.socket.shutdown(socket.SHUT_WR)
            self._assert_refused(400, client, image, name)

    def test_malformed_chunks_are_400(self):
        for name, data in GARBAGE.items():
            image = self.service.create_image()
            client = self.upload(image, framing(UNKNOWN, None))
            client.send(part_of(UNKNOWN, b"x" * 2 * MIB), data)
            self._assert_refused(400, client, image, name)

    def test_silent_client_is_408(self):
        begun = []
        for name, (kind, data) in EARLY_ENDS.items():
            image = self.service.create_image()
            begun.append((name, image, self.upload(image, framing(kind, 16 * MIB))))
            begun[-1][-1].send(data)
        for name, image, client in begun:
            self._assert_refused(408, client, image, name)

    def test_client_that_went_away_leaves_nothing(self):
        images = []
        for kind, data in EARLY_ENDS.values():
            images.append(self.service.create_image())
            client = self.upload(images[-1], framing(kind, 16 * MIB))
            client.send(data)
            if data:
                eventually(lambda: files_of(self.service, images[-1]), "the upload began")
            client.close()
        for image in images:
            eventually(lambda image=image: status_of(self.service, image) == "queued", "the image was freed")
            self.assert_queued_and_empty(image)

    def test_client_that_resets_the_connection_leaves_nothing(self):
        image = self.service.create_image()
        client = self.upload(image, framing(KNOWN, 16 * MIB))
        client.send(b"x" * MIB)
        eventually(lambda: status_of(self.service, image) == "saving", "the upload began")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        eventually(lambda: status_of(self.service, image) == "queued", "the image was freed")
        self.assert_queued_and_empty(image)

    def _assert_refused(self, status, client, image, name):
        answer = client.response()
        self.assertEqual((status, "close"), (answer.status, answer.headers["connection"]), (name, answer.body))
        self.assert_queued_and_empty(image)
        self.assertEqual(b"", client.rest(), name)
        self.assertEqual(204, self.service.upload(image, b"whole").status_code, name)


class SmuggledRequestTest(SharedService, testtools.TestCase):
    options = {"server": {"io_timeout": 2}}

    def test_request_behind_an_ambiguous_length_is_not_executed(self):
        victim = self.service.create_image()
        for name, headers in SMUGGLED.items():
            image = self.service.create_image()
            client = self.upload(image, *headers)
            client.send(self._hidden(victim))
            answer = client.response()
            self.assertIn(answer.status, (400, 501), name)
            self.assertEqual(b"", client.rest(), name)
            self.assert_queued_and_empty(image)
            self.assertEqual("queued", status_of(self.service, victim), name)

    def test_request_in_the_body_of_a_refused_upload_is_not_executed(self):
        victim = self.service.create_image()
        hidden = self._hidden(victim)
        for kind in (KNOWN, UNKNOWN):
            client = self.upload("no-such-image", framing(kind, len(hidden)), "Connection: close")
            client.send(part_of(kind, hidden), b"" if kind == KNOWN else b"0\r\n\r\n")
            self.assertEqual(404, client.response().status)
            self.assertEqual(b"", client.rest())
        self.assertEqual("queued", status_of(self.service, victim))

    def test_request_in_the_body_of_an_upload_is_data(self):
        victim, image = self.service.create_image(), self.service.create_image()
        hidden = self._hidden(victim)
        client = self.upload(image, framing(KNOWN, len(hidden)))
        client.send(hidden)
        self.assertEqual(204, client.response().status)
        self.assertEqual(hidden, self.service.request("GET", f"/v2/images/{image}/file").content)
        self.assertEqual("queued", status_of(self.service, victim))

    def test_upload_of_http_1_0_in_chunks_is_refused(self):
        client = connect(self, self.service)
        client.send("PUT /v2/images/any/file HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        self.assertIn(client.response().status, (400, 501))

    def _hidden(self, victim):
        head = f"DELETE /v2/images/{victim} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {self.service.token}\r\n\r\n"
        return b"0\r\n\r\n" + head.encode()
