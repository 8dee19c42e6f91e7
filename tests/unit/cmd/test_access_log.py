"""The access log: what a line says, what never is in one, and how much room the file takes."""

import json
import multiprocessing
import os
from pathlib import Path

import fixtures
import testtools

from glance_mini.api.request import CONTEXT_KEY, OPERATION_KEY
from glance_mini.cmd.access_log import AccessLog
from glance_mini.domain.context import Context

CALLER = Context(user_id="ann", project_id="p1", request_id="req-1")
PROCESSES, LINES = 4, 500
FIGURES = ("user", "status", "received", "sent", "milliseconds")


def environ(path="/v2/images", **more):
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "secret=1",
        "HTTP_X_AUTH_TOKEN": "secret",
        "REMOTE_ADDR": "192.0.2.1",
        OPERATION_KEY: "list_images",
        CONTEXT_KEY: CALLER,
        **more,
    }


def write_lines(path, limit, name):
    log = AccessLog(path, limit)
    for number in range(LINES):
        log.write(environ(f"/{name}/{number}"), 200, 0, 0, 0.0)


class AccessLogTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.folder / "access.log"

    def line(self, given, **options):
        AccessLog(str(self.path), **options).write(given, 200, 7, 512, 0.00123)
        return self.path.read_text().splitlines()[-1]

    def test_line_has_client_caller_operation_status_bytes_milliseconds_and_request_id(self):
        expected = "192.0.2.1 ann p1 GET /v2/images list_images 200 7 512 1.2 req-1"
        self.assertEqual(expected, self.line(environ()).partition(" ")[2])

    def test_json_line_has_the_same_fields_by_name(self):
        found = json.loads(self.line(environ(), is_json=True))
        self.assertEqual(("ann", 200, 7, 512, 1.2), tuple(found[k] for k in FIGURES))
        self.assertEqual(len(self.line(environ()).split(" ")), len(found))

    def test_request_without_caller_and_operation_has_hyphens_or_null(self):
        given = {"REQUEST_METHOD": "GET", "PATH_INFO": "/healthcheck", "REMOTE_ADDR": ""}
        self.assertEqual("- - - GET /healthcheck - 200 7 512 1.2 -", self.line(given).partition(" ")[2])
        found = json.loads(self.line(given, is_json=True))
        self.assertEqual([None] * 4, [found[name] for name in ("client", "user", "operation", "request_id")])

    def test_neither_the_query_string_nor_a_token_is_in_a_line(self):
        for is_json in (False, True):
            self.assertNotIn("secret", self.line(environ(), is_json=is_json))

    def test_secret_of_a_link_is_not_in_a_line(self):
        secret = "Ab-_" * 10 + "xyz"
        for path in ("/v2/links/", "/links/", "/v2.9/links/", "//v2/links/", "/v2/links/x/", "/v2/links//"):
            for is_json in (False, True):
                line = self.line(environ(f"{path}{secret}"), is_json=is_json)
                self.assertNotIn(secret, line)
                self.assertIn("/links/-", line)
        path = "/v2/images/7e0e6bb3-9af8-4bd7-a2b6-cd3e4b6ed7b5/links/0a1b2c3d-0000-4000-8000-000000000000"
        self.assertIn(f" {path} ", self.line(environ(path)))

    def test_no_request_makes_a_second_line_or_a_further_field_or_a_long_line(self):
        hostile = "a b\nc\x1b\udc80\u2028" + "\xe9" * 5000
        caller = Context(user_id=hostile, project_id=hostile, request_id="req-1")
        given = environ(
            hostile.replace("\udc80", "").replace("\u2028", ""), **{CONTEXT_KEY: caller, "REMOTE_ADDR": hostile}
        )
        for is_json, count in ((False, 12), (True, None)):
            self.path.unlink(missing_ok=True)
            line = self.line(given, is_json=is_json)
            self.assertEqual(1, len(self.path.read_bytes().splitlines()))
            self.assertTrue(line.isprintable())
            self.assertLess(len(line), 4096)
            if count:
                self.assertEqual(count, len(line.split(" ")))

    def test_full_file_replaces_the_one_before_it(self):
        log = AccessLog(str(self.path), 4096)
        for number in range(200):
            log.write(environ(f"/{number}"), 200, 0, 0, 0.0)
        self.assertEqual(["access.log", "access.log.1"], sorted(os.listdir(self.folder)))
        self.assertLess(sum(path.stat().st_size for path in self.folder.iterdir()), 2 * 4096 + 200)
        self.assertIn("/199 ", self.path.read_text())

    def test_processes_share_the_file_and_lose_no_line_when_it_is_full(self):
        whole = len(self.line(environ("/p0/000"))) * PROCESSES * LINES
        self.path.unlink()
        # The second file begins once, so nothing is replaced.
        arguments = [(str(self.path), whole * 2 // 3, f"p{number}") for number in range(PROCESSES)]
        processes = [multiprocessing.get_context("fork").Process(target=write_lines, args=each) for each in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        lines = [line for path in self.folder.iterdir() for line in path.read_text().splitlines()]
        self.assertEqual(2, len(list(self.folder.iterdir())))
        self.assertEqual(
            {f"/p{p}/{n}" for p in range(PROCESSES) for n in range(LINES)}, {line.split()[5] for line in lines}
        )
        self.assertEqual(PROCESSES * LINES, len(lines))

    def test_file_that_was_removed_is_made_again(self):
        log = AccessLog(str(self.path), 4096)
        self.path.unlink()
        for _ in range(2):
            log.write(environ(), 200, 0, 0, 0.0)
        self.assertEqual(1, len(self.path.read_text().splitlines()))

    def test_file_that_cannot_be_opened_is_an_error_of_the_start(self):
        self.assertRaises(FileNotFoundError, AccessLog, str(self.folder / "none" / "access.log"))

    def test_full_disk_is_said_once_and_no_request_fails(self):
        logged = self.useFixture(fixtures.FakeLogger())
        log = AccessLog("/dev/full")
        for _ in range(3):
            log.write(environ(), 200, 0, 0, 0.0)
        self.assertEqual(1, logged.output.count("cannot be written: No space left on device"))
