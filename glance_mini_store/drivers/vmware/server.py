"""The server's address and the connections to it, whose waits are bounded however slowly the server sends."""

import http.client
import io
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from glance_mini_store import errors
from glance_mini_store.web.timeouts import RateLimit, Timeouts

_PORTS = {"https": 443, "http": 80}
_RATE = 1024
"""Bytes per second that a server must send while it is waited for; the rate of the http driver."""


@dataclass(frozen=True)
class Server:
    """``authority`` is host and port as configured; ``tls`` None: plain HTTP; ``seconds`` bounds each wait."""

    authority: str
    tls: ssl.SSLContext | None
    seconds: float

    @property
    def host(self) -> str:
        """Return the host, an IPv6 address without brackets."""
        return urlsplit(f"//{self.authority}").hostname or ""

    @property
    def port(self) -> int:
        """Return the port, the standard one if none is configured."""
        return urlsplit(f"//{self.authority}").port or _PORTS["http" if self.tls is None else "https"]

    def call_limits(self) -> Timeouts:
        """Return the limits of a short answer: all of it must come in ``seconds``."""
        return Timeouts(total=self.seconds, idle=self.seconds, rate=0)

    def transfer_limits(self) -> Timeouts:
        """Return the limits of an answer with data."""
        return Timeouts(idle=self.seconds, rate=_RATE, window=self.seconds)

    def connection(self, limits: Timeouts) -> http.client.HTTPConnection:
        """Return a connection that is not open yet and whose answers must come within ``limits``."""
        if self.tls is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.seconds)
        else:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=self.seconds, context=self.tls)
        connection.response_class = partial(BoundedResponse, limits=limits)  # type: ignore[assignment]
        return connection


class BoundedResponse(http.client.HTTPResponse):
    """A response whose reads are within ``limits``. Raises RemoteServiceUnavailable if they are passed."""

    def __init__(self, connection: socket.socket, *, limits: Timeouts, method: str | None = None) -> None:
        super().__init__(connection, method=method)
        assert isinstance(self.fp, io.BufferedReader)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), connection, RateLimit(limits)), 64 * 1024)


class _Bounded(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, connection: socket.socket, limit: RateLimit) -> None:
        self._raw = raw
        self._connection = connection
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            self._connection.settimeout(self._limit.timeout())
            started = self._limit.clock()
            count = self._raw.readinto(buffer) or 0
            self._limit.note(count, self._limit.clock() - started)
        except (TimeoutError, errors.RemoteServiceUnavailable) as error:
            raise errors.RemoteServiceUnavailable(reason="the server sends too slowly or not at all") from error
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def explain(error: Exception) -> str:
    """Return why a connection failed, in words that hold nothing the server sent."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
