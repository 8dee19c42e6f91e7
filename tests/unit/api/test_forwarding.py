"""Requests that are handed on to the node with the staged data or with what was sent of an upload."""

import re
import threading
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import fixtures

from glance_mini.api import middleware
from glance_mini.api.forwarding import FORWARDED, JUDGED_HERE, PASSED_ON
from glance_mini.domain.staging import STAGING_STORE, StagedData
from glance_mini.domain.transfer import Transfer
from glance_mini.domain.upload_session import PART, WHOLE, UploadSession
from glance_mini.operations.records import BeginTransfer, RecordStaged
from glance_mini.operations.upload_sessions import AddUploadSession
from tests.http.client import ApplicationTest, Stream
from tests.http_server.running import eventually
from tests.ports import free_port

IMPORT = {"method": {"name": "glance-direct"}, "stores": ["cheap"]}


class _Node(BaseHTTPRequestHandler):
    """Another node, which keeps what it was asked and answers everything in the same way."""

    def _answer(self) -> None:
        body = self._body()
        self.server.asked.append((self.command, self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        answer = b"so it is"
        self.send_response(418)
        self.send_header("Content-Type", "text/tea")
        self.send_header("x-openstack-request-id", "req-of-the-other")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Upload-Offset", "7")
        self.send_header("Content-Length", str(len(answer)))
        with suppress(BrokenPipeError):
            self.end_headers()
            self.wfile.write(answer)

    do_POST = do_DELETE = do_PATCH = _answer

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks = []
        while size := int(self.rfile.readline(), 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(blocks)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class ForwardingTest(ApplicationTest):
    options = {"DEFAULT": {"worker_self_reference_url": "http://node1"}}

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Node)
        self.asked: list[Any] = []
        server.asked = self.asked  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.other = f"http://127.0.0.1:{server.server_port}/"

    def staged_on(self, host: str | None) -> str:
        """Create an image whose data was staged on the node ``host`` and return the path of the image."""
        image_id = self.create()
        transfer = Transfer("t1", image_id, "p1", "p", STAGING_STORE, "n", 4)
        staged = StagedData(image_id, STAGING_STORE, "file:///elsewhere/x", 4, host)
        for call in (BeginTransfer(transfer, timedelta(minutes=1), to_staging=True), RecordStaged(transfer, staged)):
            self.service.backend.run(call)
        return f"/v2/images/{image_id}"

    def unreachable(self) -> str:
        """Return the address of a node that is down."""
        return f"http://127.0.0.1:{free_port()}"


class TestForwarding(ForwardingTest):
    def test_an_import_is_answered_by_the_node_with_the_data(self) -> None:
        path = self.staged_on(self.other)
        answer = self.send("POST", f"{path}/import", IMPORT, X_Image_Meta_Store="cheap", X_Unheard="of")
        self.assertEqual((418, b"so it is", "text/tea"), (answer.status_int, answer.body, answer.content_type))
        self.assertEqual(["req-of-the-other"], answer.headers.getall("x-openstack-request-id"))
        self.assertNotIn("Set-Cookie", answer.headers)
        ((method, asked_path, headers, body),) = self.asked
        self.assertEqual(("POST", f"{path}/import"), (method, asked_path))
        sent = tuple(headers[name] for name in ("X-Auth-Token", "X-Image-Meta-Store", FORWARDED))
        self.assertEqual(("member", "cheap", "1"), sent)
        self.assertNotIn("X-Unheard", headers)
        self.assertIn(b'"stores":["cheap"]', body)
        self.assertEqual("uploading", self.status_of(path.rpartition("/")[2]))

    def test_so_is_a_deletion(self) -> None:
        path = self.staged_on(self.other)
        self.assertEqual(418, self.send("DELETE", path).status_int)
        self.assertEqual([("DELETE", path)], [asked[:2] for asked in self.asked])
        self.assertEqual(200, self.send("GET", path).status_int)

    def test_other_methods_need_no_staged_data(self) -> None:
        path = self.staged_on(self.other)
        body = {"method": {"name": "web-download", "uri": "http://203.0.113.1/"}}
        self.assertEqual((409, []), (self.send("POST", f"{path}/import", body).status_int, self.asked))

    def test_what_was_staged_here_or_for_all_is_done_here(self) -> None:
        for host in ("http://node1", None):
            path = self.staged_on(host)
            self.assertEqual(202, self.send("POST", f"{path}/import", IMPORT).status_int)
            self.assertEqual((204, []), (self.send("DELETE", path).status_int, self.asked))

    def test_an_import_says_that_a_node_is_down(self) -> None:
        path = self.staged_on(self.unreachable())
        self.assertEqual(504, self.send("POST", f"{path}/import", IMPORT).status_int)

    def test_who_may_not_see_the_image_does_not_learn_that_a_node_is_down(self) -> None:
        path = self.staged_on(self.unreachable())
        self.assertEqual(404, self.send("POST", f"{path}/import", IMPORT, caller="other").status_int)
        path = self.staged_on(self.other)
        self.assertEqual((404, []), (self.send("DELETE", path, caller="other").status_int, self.asked))

    def test_a_deletion_goes_on_without_a_node_that_is_down(self) -> None:
        path = self.staged_on(self.unreachable())
        self.assertEqual(204, self.send("DELETE", path).status_int)
        self.assertEqual(404, self.send("GET", path).status_int)

    def test_a_request_is_handed_on_once(self) -> None:
        path = self.staged_on(self.other)
        headers = {FORWARDED.replace("-", "_"): "1"}
        self.assertEqual(502, self.send("POST", f"{path}/import", IMPORT, **headers).status_int)
        self.assertEqual((204, []), (self.send("DELETE", path, **headers).status_int, self.asked))

    def test_a_body_that_is_no_import_goes_nowhere(self) -> None:
        path = self.staged_on(self.other)
        self.assertEqual((400, []), (self.send("POST", f"{path}/import", {}).status_int, self.asked))


TUS = {"Tus_Resumable": "1.0.0"}
PIECE = {**TUS, "Content_Type": "application/offset+octet-stream", "Upload_Offset": "0"}


class TestUploads(ForwardingTest):
    def begun_on(self, node_url: str | None, kind: str = WHOLE) -> str:
        """Return the path of an upload of 10 bytes whose bytes are on that node."""
        image_id = self.create()
        session = UploadSession(str(uuid4()), image_id, 10, kind, user_id="u", project_id="p1", node_url=node_url)
        self.service.backend.run(AddUploadSession(image_id, session=session))
        return f"/v2/images/{image_id}/upload/{session.id}"

    def test_a_piece_is_sent_on_as_it_comes(self) -> None:
        path = self.begun_on(self.other)
        answer = self.send("PATCH", path, b"0123456", **PIECE, Upload_Checksum="md5 eA==")
        self.assertEqual((418, "7", b"so it is"), (answer.status_int, answer.headers["Upload-Offset"], answer.body))
        self.send_stream("PATCH", path, Stream(b"789", b"x"), None, **PIECE)
        (first, second) = self.asked
        self.assertEqual(("PATCH", path, b"0123456"), (*first[:2], first[3]))
        self.assertEqual(b"789x", second[3])
        sent = [first[2].get(name) for name in ("Tus-Resumable", "Upload-Offset", "Upload-Checksum", "Content-Length")]
        self.assertEqual(["1.0.0", "0", "md5 eA==", "7"], sent)

    def test_what_a_client_sends_before_it_goes_away_is_sent_on(self) -> None:
        path = self.begun_on(self.other)
        self.assertEqual(400, self.send_stream("PATCH", path, Stream(b"012"), 7, **PIECE).status_int)
        eventually(lambda: bool(self.asked), "the other node saw the end of the connection")
        self.assertEqual(b"012", self.asked[0][3])

    def test_the_other_methods_are_sent_on_too(self) -> None:
        path = self.begun_on(self.other)
        self.assertEqual(418, self.send("POST", path, X_HTTP_Method_Override="PATCH", **PIECE).status_int)
        self.assertEqual(418, self.send("DELETE", path, **TUS).status_int)
        self.assertEqual("0", self.send("HEAD", path, **TUS).headers["Upload-Offset"])
        self.assertEqual(["POST", "DELETE"], [asked[0] for asked in self.asked])
        self.assertEqual("PATCH", self.asked[0][2]["X-HTTP-Method-Override"])

    def test_parts_of_an_image_go_to_one_node(self) -> None:
        path = self.begun_on(self.other, PART).rpartition("/")
        for wanted in ("partial", f"final;{path[2]}"):
            headers = {"Upload_Length": "10", "Upload_Concat": wanted}
            self.assertEqual(418, self.send("POST", path[0], **TUS, **headers).status_int)
        self.assertEqual(["partial", f"final;{path[2]}"], [asked[2]["Upload-Concat"] for asked in self.asked])
        self.assertEqual(201, self.send("POST", path[0], **TUS, Upload_Length="10").status_int)
        self.assertEqual(2, len(self.asked))

    def test_what_is_here_or_for_all_stays_here(self) -> None:
        for node_url in ("http://node1", None):
            path = self.begun_on(node_url)
            self.assertEqual(204, self.send("PATCH", path, b"0123", **PIECE).status_int)
            self.assertEqual((204, []), (self.send("DELETE", path, **TUS).status_int, self.asked))

    def test_a_node_that_is_down_is_told_to_the_owner_only(self) -> None:
        path = self.begun_on(self.unreachable())
        self.assertEqual(504, self.send("PATCH", path, b"0123", **PIECE).status_int)
        self.assertEqual(404, self.send("PATCH", path, b"0123", caller="other", **PIECE).status_int)
        self.assertEqual(204, self.send("DELETE", path, **TUS).status_int)
        self.assertEqual(404, self.send("HEAD", path, **TUS).status_int)

    def test_a_piece_is_handed_on_once(self) -> None:
        headers = {**PIECE, FORWARDED.replace("-", "_"): "1"}
        self.assertEqual(502, self.send("PATCH", self.begun_on(self.other), b"0123", **headers).status_int)
        self.assertEqual([], self.asked)


class TestHeaders(ForwardingTest):
    def test_every_header_that_a_filter_reads_is_handed_on(self) -> None:
        """keystone_context reads what keystonemiddleware writes, which the other node writes again."""
        written = {"X_IDENTITY_STATUS", "X_SERVICE_IDENTITY_STATUS"}
        folder = Path(middleware.__file__).parent
        read: set[str] = set()
        for path in folder.glob("*.py"):
            if path.name != "keystone_context.py":
                read.update(re.findall(r'"HTTP_([A-Z_]+)"', path.read_text()))
        known = {name.upper().replace("-", "_") for name in (*PASSED_ON, *JUDGED_HERE)}
        self.assertEqual((set(), True), (read - known - written, {"X_PROJECT_ID", "AUTHORIZATION"} <= read))

    def test_all_of_them_reach_the_other_node(self) -> None:
        path = self.staged_on(self.other)
        own = {"Content-Type": "application/json", "X-Auth-Token": "member"}
        sent = {name: own.get(name, f"value of {name}") for name in PASSED_ON}
        self.send("POST", f"{path}/import", IMPORT, **{name.replace("-", "_"): sent[name] for name in sent})
        ((_, _, headers, _),) = self.asked
        self.assertEqual(sent, {name: headers.get(name) for name in PASSED_ON})


class TestAlone(ForwardingTest):
    options = {}

    def test_a_node_without_an_address_asks_nobody(self) -> None:
        path = self.staged_on(self.other)
        self.assertEqual((204, []), (self.send("DELETE", path).status_int, self.asked))
