"""Compresses large JSON answers for clients that ask for it (RFC 9110 section 12.5.3)."""

import sys
import threading
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from webob.acceptparse import AcceptEncodingValidHeader, create_accept_encoding_header

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

SMALLEST = 4 * 1024
"""Bytes of the smallest answer that is compressed."""

LARGEST = 64 * 1024**2
"""Bytes of the largest answer that is compressed."""

AT_ONCE = 2
"""Answers that one process compresses at once; a further one is sent as it is, without a wait."""

_ZSTD_LEVEL = 1
_GZIP_LEVEL = 2
_GZIP_FORMAT = 31

Headers = list[tuple[str, str]]


def _gzip(data: bytes) -> bytes:
    stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    return stream.compress(data) + stream.flush()


def _zstd(data: bytes) -> bytes:
    return zstd.compress(data, _ZSTD_LEVEL)


CODINGS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "gzip": _gzip}
"""The codings that are known, the better one first. Their levels cost at most about 10 ms of CPU for each MiB."""


class Compression:
    """WSGI middleware, outside all other. Only whole answers are compressed, lists as PEP 3333 has them."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        head = _Head(start_response)
        result = self._app(environ, head.start)
        if isinstance(result, list) and head.is_json and SMALLEST <= sum(map(len, result)) <= LARGEST:
            head.add(("Vary", "Accept-Encoding"))
            result = self._compressed(result, environ.get("HTTP_ACCEPT_ENCODING", ""), head)
        head.release()
        return result

    def _compressed(self, result: list[bytes], accepted: str, head: "_Head") -> list[bytes]:
        coding = choose(accepted)
        if coding is None or not self._free.acquire(blocking=False):
            return result
        try:
            data = CODINGS[coding](b"".join(result))
        finally:
            self._free.release()
        head.become(coding, len(data))
        return [data]


def choose(accepted: str) -> str | None:
    """Return the coding for a client that sends ``Accept-Encoding: accepted``; None to leave the answer as it is.

    Only a coding that the client names is chosen.
    """
    header = create_accept_encoding_header(accepted)
    if not isinstance(header, AcceptEncodingValidHeader):
        return None
    weights = {name.lower(): weight for name, weight in header.parsed}
    named = [name for name in CODINGS if weights.get(name)]
    best = max(named, key=lambda name: weights[name], default="identity")
    return best if best in named and weights[best] >= weights.get("identity", 0) else None


class _Head:
    """The head of an answer, which waits until its body is known."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self._status = ""
        self._exc_info: tuple[OptExcInfo | None, ...] = ()
        self._headers: Headers = []
        self._is_released = False

    @property
    def is_json(self) -> bool:
        """Whether the answer is JSON without a coding of its own."""
        values = {name.lower(): value for name, value in self._headers}
        return values.get("content-type", "").startswith("application/json") and "content-encoding" not in values

    def start(self, status: str, headers: Headers, *exc_info: "OptExcInfo | None") -> Callable[[bytes], object]:
        self._status = status
        self._exc_info = exc_info
        self._headers = list(headers)
        # An iterator may start its answer only when it is read.
        return self._send() if self._is_released else self._refuse_to_write

    def add(self, header: tuple[str, str]) -> None:
        self._headers.append(header)

    def become(self, coding: str, length: int) -> None:
        self._headers = [each for each in self._headers if each[0].lower() != "content-length"]
        self._headers += [("Content-Encoding", coding), ("Content-Length", str(length))]

    def release(self) -> None:
        self._is_released = True
        if self._status:
            self._send()

    def _send(self) -> Callable[[bytes], object]:
        return self._start_response(self._status, self._headers, *self._exc_info)

    @staticmethod
    def _refuse_to_write(_data: bytes) -> None:
        raise RuntimeError("an application returns its answer and does not write it")
