"""A client that uses little CPU: one connection, requests and transfers over a plain socket."""

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.service import TRUSTING

_CHUNK = 256 * 1024


class Client:
    """One keep-alive connection to the service at ``url`` with ``token``."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self._address = (parts.hostname, parts.port)
        self._token = token
        self._is_tls = parts.scheme == "https"
        self._socket: socket.socket | None = None
        self._stream: Any = None

    def call(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """Return the decoded JSON of a 2xx answer, None for an empty one; raises RuntimeError for others."""
        data = b"" if body is None else json.dumps(body).encode()
        headers: dict[str, object] = {"Content-Length": len(data)} if data or method != "GET" else {}
        if data:
            headers["Content-Type"] = content_type
        self._send(method, path, headers, data)
        answer = self._answer()
        return json.loads(answer) if answer else None

    def stage(self, image_id: str, source: Path, size: int) -> None:
        """Send ``size`` bytes of ``source`` to the staging area."""
        self._put(f"/v2/images/{image_id}/stage", source, size, chunked=False)

    def upload(self, image_id: str, source: Path, size: int, chunked: bool = False) -> None:
        """Send ``size`` bytes of ``source`` as the data of an image."""
        self._put(f"/v2/images/{image_id}/file", source, size, chunked)

    def _put(self, path: str, source: Path, size: int, chunked: bool) -> None:
        headers: dict[str, object] = {"Content-Type": "application/octet-stream"}
        headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": size}
        self._send("PUT", path, headers)
        assert self._socket is not None
        with source.open("rb") as file:
            if chunked:
                self._send_chunks(file, size)
            else:
                self._socket.sendfile(file, 0, size)
        self._answer()

    def download(
        self, image_id: str, first_byte: Callable[[], object] = lambda: None, byte_range: str | None = None
    ) -> int:
        """Read and drop the data of an image, or a range such as ``0-99``; return the number of bytes received.

        ``first_byte`` is called when the first byte is there.
        """
        self._send("GET", f"/v2/images/{image_id}/file", {"Range": f"bytes={byte_range}"} if byte_range else {})
        length, room, got = self._head(), bytearray(1024 * 1024), 0
        if length:
            self._stream.peek(1)
            first_byte()
        while got < length and (count := self._stream.readinto(memoryview(room)[: length - got])):
            got += count
        return got

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._stream.close()
            self._socket.close()
            self._socket = None

    def _send(self, method: str, path: str, headers: Mapping[str, object], data: bytes = b"") -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, 300)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._is_tls:
                self._socket = TRUSTING.wrap_socket(self._socket)
            self._stream = self._socket.makefile("rb")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address[0]}", f"X-Auth-Token: {self._token}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + data)

    def _send_chunks(self, file: Any, size: int) -> None:
        assert self._socket is not None
        for start in range(0, size, _CHUNK):
            count = min(_CHUNK, size - start)
            self._socket.sendall(b"%x\r\n" % count, socket.MSG_MORE)
            sent = 0
            while sent < count:
                sent += os.sendfile(self._socket.fileno(), file.fileno(), start + sent, count - sent)
            self._socket.sendall(b"\r\n", socket.MSG_MORE)
        self._socket.sendall(b"0\r\n\r\n")

    def _head(self) -> int:
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0)) if status != 204 else 0
        if status >= 300:
            raise RuntimeError(f"status {status}: {self._stream.read(length)[:300]!r}")
        return length

    def _answer(self) -> bytes:
        answer: bytes = self._stream.read(self._head())
        return answer
