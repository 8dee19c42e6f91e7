"""Reads one connection: bytes within the limits, and the framing of HTTP, parsed strictly. Source: RFC 9112."""

import contextlib
import http.client
import io
import re
import socket
import ssl

from glance_mini_store.errors import FetchBroken, FetchRefused
from glance_mini_store.numbers import HEXADECIMAL, parse_number
from glance_mini_store.web.cancellation import Cancellation
from glance_mini_store.web.timeouts import RateLimit

_BUFFER = 64 * 1024
_LONGEST_LINE = 64 * 1024
_MOST_LINES = 100
_EMPTY_LINES = (b"\r\n", b"\n")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: (.*))?\r?\n", re.DOTALL)
_CHUNK_SIZE = re.compile(rb"(" + HEXADECIMAL + rb")[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_PARTING_SECONDS = 2.0
"""How long to wait for bytes after the announced ones; the request asked the server to close the connection."""


class Wire(io.RawIOBase):
    """A socket as a raw stream; each read is within the limit. Raises FetchBroken, FetchRefused, FetchCancelled."""

    def __init__(self, connection: socket.socket, limit: RateLimit, cancellation: Cancellation) -> None:
        self.is_at_end = False
        self.is_parting = False
        self.reader = Reader(self, _BUFFER)
        self._socket = connection
        # It keeps the socket open when http.client closes its own reference after the head of the response.
        self._raw = connection.makefile("rb", buffering=0)
        self._limit = limit
        self._cancellation = cancellation

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.is_parting:
            return self._read_parting(buffer)
        self._socket.settimeout(self._limit.timeout())
        started = self._limit.clock()
        try:
            count = self._raw.readinto(buffer) or 0
        except (OSError, ValueError) as error:
            self._cancellation.check()
            self._limit.timeout()
            raise FetchBroken(reason=f"The answer broke off: {cause(error)}.") from error
        self._cancellation.check()
        self._limit.note(count, self._limit.clock() - started)
        self.is_at_end = not count
        return count

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError):
            self._raw.close()

    def _read_parting(self, buffer: memoryview) -> int:
        try:
            self._socket.settimeout(min(self._limit.timeout(), _PARTING_SECONDS))
            return self._raw.readinto(buffer) or 0
        except (OSError, ValueError, FetchRefused):
            return 0


class Reader(io.BufferedReader):
    """A buffer that stays open after all announced bytes were read; the owner closes the connection."""

    def close(self) -> None:
        """Do nothing: http.client closes before bytes beyond the announced ones can be detected."""

    def flush(self) -> None:
        """Do nothing: http.client also calls it after the wire was closed."""


class StrictResponse(http.client.HTTPResponse):
    """A strict http.client response: a head, a chunk or a trailer that is cut or malformed is an error.

    It overrides methods of http.client that begin with an underscore; tests cover the rule of each.
    """

    fp: Reader
    chunk_left: int | None

    def __init__(self, reader: Reader, connection: socket.socket, method: str | None) -> None:
        super().__init__(connection, method=method)
        self.fp.close()
        self.fp = reader

    def _read_status(self) -> tuple[str, int, str]:
        """Return version, status and reason of the final response; informational ones before it are skipped."""
        for _ in range(_MOST_LINES):
            found = _STATUS_LINE.fullmatch(self._line())
            if not found:
                raise FetchRefused(reason="The server did not answer with HTTP.")
            status = int(found[2])
            if not 100 <= status < 200 or status == 101:
                return found[1].decode(), status, (found[3] or b"").decode("latin-1")
            self._skip_lines()
        raise FetchRefused(reason="The server sends too many informational answers.")

    def _get_chunk_left(self) -> int | None:
        """Return the bytes left of the chunk, at its end those of the next chunk, None after the last chunk."""
        if not self.chunk_left:
            if self.chunk_left is not None and self._line() not in _EMPTY_LINES:
                raise FetchRefused(reason="The framing of the answer is not valid HTTP.")
            found = _CHUNK_SIZE.fullmatch(self._line())
            if not found:
                raise FetchRefused(reason="The framing of the answer is not valid HTTP.")
            self.chunk_left = int(found[1], 16)
            if not self.chunk_left:
                self._skip_lines()
                self.chunk_left = None
                self._close_conn()  # type: ignore[attr-defined]
        return self.chunk_left

    def _skip_lines(self) -> None:
        """Read up to the next empty line, and that line."""
        for _ in range(_MOST_LINES):
            if self._line() in _EMPTY_LINES:
                return
        raise FetchRefused(reason="The answer has too many headers.")

    def _line(self) -> bytes:
        """Return the next line; raises FetchBroken if the connection ends before the end of the line."""
        line = self.fp.readline(_LONGEST_LINE)
        if line.endswith(b"\n"):
            return line
        if len(line) == _LONGEST_LINE:
            raise FetchRefused(reason="The answer has a line that is too long.")
        raise FetchBroken(reason="The answer broke off.")


def check_lengths(answer: http.client.HTTPResponse) -> None:
    """Raise FetchRefused if the length of the body is ambiguous (RFC 9112 section 6)."""
    coding = answer.headers.get("Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        raise FetchRefused(reason="The transfer coding of the answer is not supported.")
    found = set(answer.headers.get_all("Content-Length", []))
    if coding is None and found:
        value = found.pop()
        if found or parse_number(value) is None:
            raise FetchRefused(reason="The server announced a length that is not valid.")


def cause(error: Exception | None) -> str:
    """Return the reason, without the address that the system's texts contain."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ConnectionRefusedError):
        return "it was refused"
    return "the network failed"
