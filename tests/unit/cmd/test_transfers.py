"""How push and pull speak to a service that refuses, breaks connections, or makes them wait."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

import fixtures
import testtools
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from glance_mini.cmd.transfers import cloud
from glance_mini.cmd.transfers.cloud import Images
from glance_mini.cmd.transfers.remote import RemoteHashes
from glance_mini.cmd.transfers.sizes import size_text
from glance_mini.domain.errors import ConfigurationError, Invalid, NotFound, Unavailable

IMAGE = "11111111-1111-4111-8111-111111111111"
DATA = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """A server that says nothing about connections that clients break."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Answers(fixtures.Fixture):
    """A server that answers by ``answer(handler)`` and keeps the requests."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer
        self.requests = []

    def _setUp(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append((self.path, self.headers.get("Range")))
                outer.answer(self)

            def log_message(self, *arguments):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        self.images = Images(Session(auth=NoAuth(endpoint=url)), f"{url}/v2/")


def say(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, value in {"Content_Length": len(body), **headers}.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


class TestImages(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch("glance_mini.cmd.transfers.cloud.time.sleep", self.note))
        self.slept = []

    def note(self, seconds):
        self.slept.append(seconds)

    def serve(self, answer):
        return self.useFixture(Answers(answer))

    def test_a_transfer_goes_on_where_the_connection_broke(self):
        def answer(handler):
            first, last = handler.headers["Range"].removeprefix("bytes=").split("-")
            data = DATA[int(first) : int(last) + 1]
            say(handler, 206, data[:300_000], Content_Length=len(data))
            handler.close_connection = True

        server = self.serve(answer)
        got = b"".join(server.images.data(IMAGE, 5, len(DATA), {"format": "raw"}))
        self.assertTrue(got == DATA[5:])
        ranges = [f"bytes={start}-{len(DATA) - 1}" for start in range(5, len(DATA), 300_000)]
        self.assertEqual([(f"/v2/images/{IMAGE}/file?format=raw", each) for each in ranges], server.requests)

    def test_a_service_that_sends_nothing_is_asked_a_few_times(self):
        def answer(handler):
            say(handler, 206, b"", Content_Length=10)
            handler.close_connection = True

        server = self.serve(answer)
        self.assertRaises(Unavailable, list, server.images.data(IMAGE, 0, 10, {}))
        self.assertEqual((5, 4), (len(server.requests), len(self.slept)))

    def test_a_whole_answer_to_a_range_is_not_taken_for_it(self):
        server = self.serve(lambda handler: say(handler, 200, DATA))
        self.assertRaises(Invalid, list, server.images.data(IMAGE, 5, 10, {}))

    def test_refusals_have_the_reason_of_the_service(self):
        for status, kind in ((404, NotFound), (409, Invalid), (403, Invalid), (503, Unavailable)):
            server = self.serve(lambda handler, status=status: say(handler, status, b"the  reason"))
            error = self.assertRaises(kind, server.images.show, IMAGE)
            self.assertIn(IMAGE if status == 404 else "the reason", str(error))

    def test_a_name_must_be_that_of_one_image(self):
        for found, kind in (([], NotFound), ([{"id": "1"}, {"id": "2"}], Invalid), ([{"id": "1"}], None)):
            body = json.dumps({"images": found}).encode()
            server = self.serve(lambda handler, body=body: say(handler, 200, body))
            if kind is None:
                self.assertEqual({"id": "1"}, server.images.find("disk"))
            else:
                self.assertRaises(kind, server.images.find, "disk")
            self.assertEqual([("/v2/images?name=disk&limit=2", None)], server.requests)

    def test_hashes_are_awaited_and_come_in_pages(self):
        def answer(handler):
            if len(server.requests) == 1:
                return say(handler, 202, Retry_After=7)
            start = 2 if "marker" in handler.path else 0
            blocks = [block(number) for number in range(start, start + 2)]
            page = {"virtual_size": 4 << 20, "block_size": 1 << 20, "blocks": blocks} | (
                {} if start else {"next": "/x"}
            )
            return say(handler, 200, json.dumps(page).encode())

        def block(number):
            digest = None if number == 1 else f"{number:064x}"
            return {"offset": number << 20, "length": 1 << 20, "sha256": digest}

        server = self.serve(answer)
        hashes = RemoteHashes(server.images, IMAGE)
        self.assertEqual((4 << 20, [7]), (hashes.size, self.slept))
        self.assertEqual([(number, number.to_bytes(32, "big")) for number in (0, 2, 3)], list(hashes.blocks()))
        self.assertIn(f"marker={2 << 20}", server.requests[-1][0])
        self.assertRaises(Unavailable, hashes.parts, 0)

    def test_the_library_is_named_if_it_is_missing(self):
        with patch.dict(sys.modules, {"openstack.config": None}):
            error = self.assertRaises(ConfigurationError, cloud.connect, None)
        self.assertIn("glance-mini[client]", str(error))

    def test_sizes_have_units(self):
        texts = {0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 3 << 29: "1.5 GiB", 1 << 60: "1048576.0 TiB"}
        self.assertEqual(texts, {size: size_text(size) for size in texts})
