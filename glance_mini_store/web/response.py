"""One HTTP request to one checked address and the answer to it, as it comes off the wire.

The connection goes to the addresses that were checked and never asks the DNS; no proxy, no cookies, no credentials
but those in the headers that are given. Memory is bounded whatever the server sends. Which answers are good, and what
happens after one that broke off, is decided in ``web_client``. Source: RFC 9112.
"""

import http.client
import io
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from email.message import Message

from glance_mini.imports.pace import FetchBroken, FetchRefused, Pace
from glance_mini.imports.uri_filter import Target

BLOCK = 1024 * 1024
"""Bytes of a block of data."""

_BUFFER = 64 * 1024
_LONGEST_LINE = 64 * 1024
_MOST_LINES = 200
_EMPTY_LINES = (b"\r\n", b"\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?\r?\n", re.DOTALL)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_PARTING_SECONDS = 2.0
"""How long to look for bytes beyond the announced ones; the server was asked to close the connection behind them."""


class Exchange:
    """The answer of a server; to be closed. Raises FetchBroken, FetchRefused, while it is made too."""

    def __init__(self, target: Target, headers: Mapping[str, str], pace: Pace, tls: ssl.SSLContext) -> None:
        self._socket = _connect(target, pace, tls)
        self._wire = _Wire(self._socket, pace)
        self._reader = io.BufferedReader(self._wire, _BUFFER)
        try:
            self._ask(target, headers, pace)
            self.status, self.headers = self._read_head()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; may be repeated."""
        self._socket.close()

    def length(self) -> int | None:
        """Return the announced bytes of the body, None where they are not announced."""
        found = set(self.headers.get_all("Content-Length", []))
        if not found or self._is_chunked():
            return None
        value = found.pop()
        if found or not (value.isascii() and value.isdigit() and len(value) < 19):
            raise FetchRefused(reason="The server announced a length that is no number.")
        return int(value)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body, all of it or FetchBroken; a body longer than announced is FetchRefused."""
        length = self.length()
        if self._is_chunked():
            return _gather(self._chunks())
        return self._rest() if length is None else self._fixed(length)

    def _ask(self, target: Target, headers: Mapping[str, str], pace: Pace) -> None:
        lines = [f"GET {target.path} HTTP/1.1", f"Host: {target.host_header}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            self._socket.settimeout(pace.timeout())
            self._socket.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        except OSError as error:
            raise FetchBroken(reason=f"The connection to {target.host} broke: {_cause(error)}.") from error

    def _read_head(self) -> tuple[int, Message]:
        """Return status and headers of the final answer; those before it are informational."""
        status, headers = self._read_one_head()
        while 100 <= status < 200 and status != 101:
            status, headers = self._read_one_head()
        return status, headers

    def _read_one_head(self) -> tuple[int, Message]:
        found = _STATUS_LINE.fullmatch(self._line())
        if not found:
            raise FetchRefused(reason="The server does not answer in HTTP.")
        lines = b"".join(self._lines()) + b"\r\n"
        try:
            return int(found[1]), http.client.parse_headers(io.BytesIO(lines))
        except http.client.HTTPException as error:
            raise FetchRefused(reason="The answer has too many headers.") from error

    def _is_chunked(self) -> bool:
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        if coding not in ("", "chunked"):
            raise FetchRefused(reason="The answer is coded in a way that is not known.")
        return coding == "chunked"

    def _fixed(self, length: int) -> Iterator[bytes]:
        yield from self._read(length)
        self._wire.is_parting = True
        if self._reader.peek(1):
            raise FetchRefused(reason=f"The server sent more than the {length} bytes that it announced.")

    def _rest(self) -> Iterator[bytes]:
        while block := self._reader.read(BLOCK):
            yield block
        self._raise_failure()

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._read(size)
            if self._line() not in _EMPTY_LINES:
                raise FetchRefused(reason="The answer is not framed as HTTP wants it.")
        for _trailer in self._lines():
            pass

    def _chunk_size(self) -> int:
        found = _CHUNK_SIZE.fullmatch(self._line())
        if not found:
            raise FetchRefused(reason="The answer is not framed as HTTP wants it.")
        return int(found[1], 16)

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines before the next empty one."""
        for _ in range(_MOST_LINES):
            line = self._line()
            if line in _EMPTY_LINES:
                return
            yield line
        raise FetchRefused(reason="The answer has too many headers.")

    def _line(self) -> bytes:
        """Return the next line; a connection that ends before the end of the line has broken."""
        line = self._reader.readline(_LONGEST_LINE)
        if line.endswith(b"\n"):
            return line
        if len(line) == _LONGEST_LINE:
            raise FetchRefused(reason="The answer has a line that is too long.")
        self._raise_failure()
        raise FetchBroken(reason="The answer broke off.")

    def _read(self, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes, and what came of them before FetchBroken."""
        while length:
            wanted = min(BLOCK, length)
            block = self._reader.read(wanted)
            if block:
                yield block
            length -= len(block)
            if len(block) < wanted:
                self._raise_failure()
                raise FetchBroken(reason=f"The answer broke off {length} bytes before its end.")

    def _raise_failure(self) -> None:
        failure = self._wire.failure
        if isinstance(failure, OSError):
            raise FetchBroken(reason=f"The answer broke off: {_cause(failure)}.") from failure
        if failure is not None:
            raise failure


class _Wire(io.RawIOBase):
    """A socket as a raw stream. A failure looks like the end of the data, so that what came before it is not lost."""

    def __init__(self, connection: socket.socket, pace: Pace) -> None:
        self.failure: OSError | FetchBroken | FetchRefused | None = None
        self.is_parting = False
        self._socket = connection
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.failure is not None:
            return 0
        try:
            timeout = self._pace.timeout()
            self._socket.settimeout(min(timeout, _PARTING_SECONDS) if self.is_parting else timeout)
            started = self._pace.clock()
            count = self._socket.recv_into(buffer)
            if not self.is_parting:
                self._pace.note(count, self._pace.clock() - started)
        except (OSError, FetchBroken, FetchRefused) as failure:
            self.failure = failure
            return 0
        return count


def _connect(target: Target, pace: Pace, tls: ssl.SSLContext) -> socket.socket:
    """Return a connection to the first of the addresses that takes one; the certificate must be the host's."""
    failure: OSError | None = None
    for address in target.addresses:
        connection = None
        try:
            connection = socket.create_connection((address, target.port), pace.timeout())
            if target.scheme != "https":
                return connection
            connection.settimeout(pace.timeout())
            return tls.wrap_socket(connection, server_hostname=target.host, suppress_ragged_eofs=False)
        except ssl.SSLCertVerificationError as error:
            raise FetchRefused(reason=f"The certificate of {target.host} cannot be verified.") from error
        except OSError as error:
            failure = error
            if connection is not None:
                connection.close()
    raise FetchBroken(reason=f"No connection to {target.host}: {_cause(failure)}.") from failure


def _cause(error: OSError | None) -> str:
    """Return why, without the address that the system puts into its texts."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ConnectionRefusedError):
        return "it was refused"
    return "the network failed"


def _gather(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield ``pieces`` in blocks of about BLOCK bytes; what was gathered goes out before an error."""
    waiting: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size >= BLOCK:
                yield b"".join(waiting)
                waiting, size = [], 0
    except (FetchBroken, FetchRefused):
        if waiting:
            yield b"".join(waiting)
        raise
    if waiting:
        yield b"".join(waiting)
