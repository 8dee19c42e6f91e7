"""A web server on loopback for tests of the http driver: data by path, with or without ranges, HEAD and redirects."""

import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fixtures


@dataclass
class Page:
    """What the server answers under one path; the data takes ``seconds``, a HEAD claims ``claimed_length``."""

    data: bytes = b""
    status: int = 200
    redirect: str | None = None
    ranges: bool = True
    head: bool = True
    announces_length: bool = True
    missing_bytes: int = 0
    seconds: float = 0
    claimed_length: int | None = None


@dataclass
class Asked:
    """What the server was asked."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


class WebServer(fixtures.Fixture):
    """``pages`` by path, ``asked`` in order; ``url(path)`` is the address."""

    def __init__(self, context: Any = None) -> None:
        super().__init__()
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self._context = context

    def _setUp(self) -> None:
        web = self

        class Handler(_Handler):
            pages = web.pages
            asked = web.asked

        self._server = _Server(("127.0.0.1", 0), Handler)
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(self._server.server_close)
        self.addCleanup(self._server.shutdown)

    @property
    def port(self) -> int:
        return self._server.server_port

    def url(self, path: str = "/", host: str = "127.0.0.1", user: str = "") -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://{user}{host}:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep the test output clean: clients of these tests hang up early."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages: dict[str, Page]
    asked: list[Asked]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        self.asked.append(Asked(self.command, self.path, dict(self.headers)))
        page = self.pages.get(self.path.partition("?")[0], Page(status=404))
        if page.redirect is not None:
            return self._send(302, b"", {"Location": page.redirect})
        if not with_body and not page.head:
            return self._send(405, b"", {})
        if page.status != 200:
            return self._send(page.status, b"", {})
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found and page.ranges:
            return self._send_range(page, int(found[1]), int(found[2]) if found[2] else None, with_body)
        return self._send(200, page.data, {}, page=page, with_body=with_body)

    def _send_range(self, page: Page, start: int, last: int | None, with_body: bool) -> None:
        total = len(page.data)
        if start >= total:
            return self._send(416, b"", {"Content-Range": f"bytes */{total}"})
        end = total if last is None else min(total, last + 1)
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
        return self._send(206, page.data[start:end], headers, page=page, with_body=with_body)

    def _send(
        self,
        status: int,
        data: bytes,
        headers: dict[str, str],
        page: Page = Page(),  # noqa: B008
        with_body: bool = True,
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if page.announces_length:
            is_claimed = not with_body and page.claimed_length is not None
            self.send_header("Content-Length", str(page.claimed_length if is_claimed else len(data)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if with_body:
            self._send_slowly(data[: len(data) - page.missing_bytes], page.seconds)
        if page.missing_bytes:
            self.close_connection = True

    def _send_slowly(self, data: bytes, seconds: float) -> None:
        pieces = 10 if seconds else 1
        size = -(-len(data) // pieces)
        for number in range(pieces):
            self.wfile.write(data[number * size : (number + 1) * size])
            time.sleep(seconds / pieces)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test output clean."""
