"""One connection to an address that was checked, for one request: urllib3's, with our sockets and our reader.

It never asks the DNS and takes nothing from the environment. Every wait on its socket is bounded by the ``RateLimit``,
and another thread can end it through the ``Cancellation``. Source: RFC 9112.
"""

import base64
import contextlib
import http.client
import io
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_match_hostname import CertificateError

from glance_mini_store.errors import BadStoreConfiguration, FetchBroken, FetchRefused
from glance_mini_store.web.cancellation import Cancellation, current
from glance_mini_store.web.target import DEFAULT_PORTS, Target
from glance_mini_store.web.timeouts import RateLimit

_BUFFER = 64 * 1024
_LONGEST_LINE = 64 * 1024
_MOST_LINES = 100
_EMPTY_LINES = (b"\r\n", b"\n")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: (.*))?\r?\n", re.DOTALL)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_PARTING_SECONDS = 2.0
"""How long to look for bytes beyond the announced ones; the server was asked to close the connection behind them."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Who connects in our place; ``credentials`` are its user and password, as in ``Proxy-Authorization``."""

    host: str
    port: int
    credentials: str | None = None

    @classmethod
    def from_url(cls, url: str) -> "Proxy":
        """Return the proxy ``http://[user:password@]host[:port]``; raises BadStoreConfiguration."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or DEFAULT_PORTS["http"]
        except ValueError as error:
            raise BadStoreConfiguration(option="http_proxy_information", reason="it cannot be read") from error
        if parts.scheme != "http" or not parts.hostname:
            raise BadStoreConfiguration(option="http_proxy_information", reason="a proxy must be http://host:port")
        user = None if parts.username is None else basic(unquote(parts.username), unquote(parts.password or ""))
        return cls(parts.hostname, port, user)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the proxy is told with a request."""
        return {} if self.credentials is None else {"Proxy-Authorization": self.credentials}


def basic(user: str, password: str) -> str:
    """Return the credentials as headers carry them (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Connection:
    """A connection for one request. Raises FetchBroken, FetchRefused, FetchCancelled; to be closed."""

    def __init__(self, target: Target, limit: RateLimit, tls: ssl.SSLContext, proxy: Proxy | None = None) -> None:
        self._target = target
        self._limit = limit
        self._proxy = proxy
        self._wires: list[Wire] = []
        self.cancellation = current()
        self._key: int | None = None
        self.message: Message = Message()
        self._connection = self._make(tls)

    @property
    def wire(self) -> "Wire":
        """The socket of the last answer."""
        return self._wires[-1]

    def request(self, method: str, headers: Mapping[str, str]) -> urllib3.HTTPResponse:
        """Send the request and return the head of the final answer; nothing of the body is decoded."""
        target, is_absolute = self._target, self._proxy is not None and self._target.scheme == "http"
        path = f"http://{target.host_header}{target.path}" if is_absolute else target.path
        sent = {"Host": target.host_header, **headers, "Connection": "close"}
        if self._proxy is not None and is_absolute:
            sent |= self._proxy.headers
        try:
            self._connection.connect()
            assert self._connection.sock is not None
            self._connection.sock.settimeout(self._limit.timeout())
            self._connection.request(method, path, headers=sent, preload_content=False, decode_content=False)
        except (ssl.SSLCertVerificationError, CertificateError) as error:
            raise FetchRefused(reason=f"The certificate of {target.host} cannot be verified.") from error
        except (OSError, http.client.HTTPException) as error:
            self.cancellation.check()
            self._limit.timeout()
            raise FetchBroken(reason=f"The connection to {target.host} broke: {cause(error)}.") from error
        except ValueError as error:
            raise FetchRefused(reason="The request cannot be sent.") from error
        return self._answer(method)

    def close(self) -> None:
        """End the connection; may be repeated."""
        self._connection.close()
        for wire in self._wires:
            wire.close()
        if self._key is not None:
            self.cancellation.detach(self._key)
            self._key = None

    def open_socket(self) -> socket.socket:
        """Return a socket that is connected to the proxy, or to the first of the addresses that takes a connection."""
        host, addresses, port = self._target.host, self._target.addresses, self._target.port
        if self._proxy is not None:
            host, port = self._proxy.host, self._proxy.port
            addresses = (host,)
        failure: OSError | None = None
        for address in addresses:
            try:
                # All of them together may take as long as one wait, however many a user's name has.
                return self._connect(address, port, self._limit.timeout() / len(addresses))
            except OSError as error:
                failure = error
                self.cancellation.check()
        raise FetchBroken(reason=f"No connection to {host}: {cause(failure)}.") from failure

    def make_response(self, sock: socket.socket, *, method: str | None = None, **_: Any) -> "StrictResponse":
        """Return what reads an answer from ``sock``; http.client calls it."""
        self._wires.append(Wire(sock, self._limit, self.cancellation))
        return StrictResponse(self._wires[-1].reader, sock, method)

    def _make(self, tls: ssl.SSLContext) -> "_Plain | _Tls":
        target, proxy = self._target, self._proxy
        host, port = (target.host, target.port) if proxy is None else (proxy.host, proxy.port)
        if target.scheme == "http":
            return _Plain(self, host, port)
        connection = _Tls(self, host, port, tls)
        if proxy is not None:
            connection.set_tunnel(target.host, target.port, proxy.headers, "http")
        return connection

    def _connect(self, address: str, port: int, seconds: float) -> socket.socket:
        """Return a connection that was made within ``seconds``.

        The address of a proxy is the operator's and may be a name.
        """
        flags = 0 if self._proxy is not None else socket.AI_NUMERICHOST
        family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)[0]
        connection = socket.socket(family, kind, protocol)
        key = self.cancellation.attach(connection)
        try:
            connection.settimeout(seconds)
            connection.connect(where)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(self._limit.timeout())
            self.cancellation.check()
        except BaseException:
            connection.close()
            self.cancellation.detach(key)
            raise
        self._key = key
        return connection

    def _answer(self, method: str) -> urllib3.HTTPResponse:
        try:
            answer = http.client.HTTPConnection.getresponse(self._connection)
        except http.client.LineTooLong as error:
            raise FetchRefused(reason="The answer has a line that is too long.") from error
        except http.client.HTTPException as error:
            raise FetchRefused(reason="The answer has too many headers.") from error
        except OSError as error:
            raise FetchBroken(reason=f"The answer broke off: {cause(error)}.") from error
        if self.wire.is_at_end:
            # http.client takes the end of the connection for the end of the headers.
            raise FetchBroken(reason="The answer broke off.")
        check_lengths(answer)
        self.message = answer.headers
        # Not urllib3's own getresponse: it logs the address, with its query, when headers cannot be read.
        return urllib3.HTTPResponse(
            body=answer,
            headers=urllib3.HTTPHeaderDict(answer.headers.items()),
            status=answer.status,
            preload_content=False,
            decode_content=False,
            original_response=answer,
            request_method=method,
        )


class _Plain(HTTPConnection):
    """urllib3's connection, which asks ``guard`` for its socket and for what reads the answer."""

    def __init__(self, guard: Connection, host: str, port: int) -> None:
        super().__init__(host, port)
        self._guard = guard
        self.response_class = guard.make_response  # type: ignore[assignment]

    def _new_conn(self) -> socket.socket:
        return self._guard.open_socket()


class _Tls(HTTPSConnection):
    """The same with TLS; the certificate must be that of the host, whatever the address."""

    def __init__(self, guard: Connection, host: str, port: int, tls: ssl.SSLContext) -> None:
        super().__init__(host, port, ssl_context=tls)
        self._guard = guard
        self.response_class = guard.make_response  # type: ignore[assignment]

    def _new_conn(self) -> socket.socket:
        return self._guard.open_socket()

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, ssl.SSLSocket):
            # Otherwise a connection that was cut looks like the end of the data (RFC 8446 section 6.1).
            self.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]


class Wire(io.RawIOBase):
    """A socket as a raw stream, each read of it within the limit. Raises FetchBroken, FetchRefused, FetchCancelled."""

    def __init__(self, connection: socket.socket, limit: RateLimit, cancellation: Cancellation) -> None:
        self.is_at_end = False
        self.is_parting = False
        self.reader = Reader(self, _BUFFER)
        self._socket = connection
        # It keeps the socket open when http.client closes its own reference behind the head of the answer.
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
    """A buffer that stays open when all that was announced has been read; the connection is closed by its owner."""

    def close(self) -> None:
        """Do nothing: http.client closes too early to see whether more comes than was announced."""


class StrictResponse(http.client.HTTPResponse):
    """http.client's answer, which forgives less: a head, a chunk or a trailer that is cut or malformed is an error.

    The methods that begin with an underscore are http.client's own. Each is covered by a test of its rule.
    """

    fp: Reader
    chunk_left: int | None

    def __init__(self, reader: Reader, connection: socket.socket, method: str | None) -> None:
        super().__init__(connection, method=method)
        self.fp.close()
        self.fp = reader

    def _read_status(self) -> tuple[str, int, str]:
        """Return version, status and reason of the final answer; those before it are informational."""
        for _ in range(_MOST_LINES):
            found = _STATUS_LINE.fullmatch(self._line())
            if not found:
                raise FetchRefused(reason="The server does not answer in HTTP.")
            status = int(found[2])
            if not 100 <= status < 200 or status == 101:
                return found[1].decode(), status, (found[3] or b"").decode("latin-1")
            self._skip_lines()
        raise FetchRefused(reason="The server sends no end of informational answers.")

    def _get_chunk_left(self) -> int | None:
        """Return how much of the chunk is left, that of the next one at its end, None behind the last one."""
        if not self.chunk_left:
            if self.chunk_left is not None and self._line() not in _EMPTY_LINES:
                raise FetchRefused(reason="The answer is not framed as HTTP wants it.")
            found = _CHUNK_SIZE.fullmatch(self._line())
            if not found:
                raise FetchRefused(reason="The answer is not framed as HTTP wants it.")
            self.chunk_left = int(found[1], 16)
            if not self.chunk_left:
                self._skip_lines()
                self.chunk_left = None
                self._close_conn()  # type: ignore[attr-defined]
        return self.chunk_left

    def _skip_lines(self) -> None:
        """Read up to and with the next empty line."""
        for _ in range(_MOST_LINES):
            if self._line() in _EMPTY_LINES:
                return
        raise FetchRefused(reason="The answer has too many headers.")

    def _line(self) -> bytes:
        """Return the next line; a connection that ends before the end of the line has broken."""
        line = self.fp.readline(_LONGEST_LINE)
        if line.endswith(b"\n"):
            return line
        if len(line) == _LONGEST_LINE:
            raise FetchRefused(reason="The answer has a line that is too long.")
        raise FetchBroken(reason="The answer broke off.")


def check_lengths(answer: http.client.HTTPResponse) -> None:
    """Return if there is one way to read the body (RFC 9112 section 6); raises FetchRefused."""
    coding = answer.headers.get("Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        raise FetchRefused(reason="The answer is coded in a way that is not known.")
    found = set(answer.headers.get_all("Content-Length", []))
    if coding is None and found:
        value = found.pop()
        # 18 digits are more than any data has, and fewer than a signed number of 64 bits may have.
        if found or not (value.isascii() and value.isdigit() and len(value) < 19):
            raise FetchRefused(reason="The server announced a length that is no number, or one that cannot be.")


def cause(error: Exception | None) -> str:
    """Return why, without the address that the system puts into its texts."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ConnectionRefusedError):
        return "it was refused"
    return "the network failed"
