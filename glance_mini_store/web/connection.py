"""One connection to a checked address for one request: urllib3's, with our sockets and our reader.

It does not query the DNS or read the environment. The ``RateLimit`` bounds every wait on its socket, and another thread
can end it through the ``Cancellation``.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from email.message import Message

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_match_hostname import CertificateError

from glance_mini_store.errors import FetchBroken, FetchRefused
from glance_mini_store.web.cancellation import current
from glance_mini_store.web.proxy import Proxy
from glance_mini_store.web.target import Target
from glance_mini_store.web.timeouts import RateLimit
from glance_mini_store.web.wire import StrictResponse, Wire, cause, check_lengths


class Connection:
    """A connection for one request. Raises FetchBroken, FetchRefused, FetchCancelled; must be closed."""

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
    def wire(self) -> Wire:
        """The wire of the last response."""
        return self._wires[-1]

    def request(self, method: str, headers: Mapping[str, str]) -> urllib3.HTTPResponse:
        """Send the request and return the final response with its head; the body is not decoded."""
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
        """Close the connection; may be repeated."""
        self._connection.close()
        for wire in self._wires:
            wire.close()
        if self._key is not None:
            self.cancellation.detach(self._key)
            self._key = None

    def open_socket(self) -> socket.socket:
        """Return a socket that is connected to the proxy or to the first address that accepts a connection."""
        host, addresses, port = self._target.host, self._target.addresses, self._target.port
        if self._proxy is not None:
            host, port = self._proxy.host, self._proxy.port
            addresses = (host,)
        failure: OSError | None = None
        for address in addresses:
            try:
                # All addresses together may take as long as one wait, because a user's host may have many.
                return self._connect(address, port, self._limit.timeout() / len(addresses))
            except OSError as error:
                failure = error
                self.cancellation.check()
        raise FetchBroken(reason=f"No connection to {host}: {cause(failure)}.") from failure

    def make_response(self, sock: socket.socket, *, method: str | None = None, **_: object) -> StrictResponse:
        """Return the reader of a response from ``sock``; http.client calls it."""
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
        """Return a socket that was connected within ``seconds``.

        The operator sets the address of a proxy, so it may be a name.
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
            # http.client treats the end of the connection as the end of the headers.
            raise FetchBroken(reason="The answer broke off.")
        check_lengths(answer)
        self.message = answer.headers
        # Not urllib3's own getresponse: it logs the URL with its query if headers are malformed.
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
    """urllib3's connection, with the socket and the response reader of ``guard``."""

    def __init__(self, guard: Connection, host: str, port: int) -> None:
        super().__init__(host, port)
        self._guard = guard
        self.response_class = guard.make_response  # type: ignore[assignment]

    def _new_conn(self) -> socket.socket:
        return self._guard.open_socket()


class _Tls(HTTPSConnection):
    """The same with TLS; the certificate must be valid for the host name."""

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
