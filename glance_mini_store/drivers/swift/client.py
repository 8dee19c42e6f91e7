"""Requests to Swift: connections that are used again, time-outs, retries, and tokens that were refused.

Only requests whose body is here are sent again; data of a stream is sent once.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from glance_mini_store import errors
from glance_mini_store.drivers.swift.accounts import Account, origin
from glance_mini_store.drivers.swift.attempts import Attempts
from glance_mini_store.drivers.swift.library import Connection, Libraries, Response

_AGAIN = frozenset({408, 429, 498, 500, 502, 503, 504})
"""Statuses after which another attempt may succeed."""

_BROKEN = (OSError, urllib3.exceptions.HTTPError)
"""What a connection raises; the errors of requests are OSErrors."""


@dataclass(frozen=True)
class Request:
    """A request for a container (None: the account) or for an object in it."""

    method: str
    container: str | None = None
    name: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def path(self, storage_url: str) -> str:
        """Return the path and the query of the URL."""
        parts = [part for part in (self.container, self.name) if part is not None]
        path = "/".join([urlsplit(storage_url).path.rstrip("/"), *map(quote, parts)])
        return f"{path}?{urlencode(self.query)}" if self.query else path


@dataclass(frozen=True)
class Answer:
    """A complete response; the names of ``headers`` are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status < 300


class Body:
    """The body of an upload whose length in bytes is not known."""

    def __init__(self, pieces: Iterator[memoryview | bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[memoryview | bytes]:
        return self._pieces


class SizedBody(Body):
    """The body of an upload of ``len`` bytes, more than none."""

    def __init__(self, pieces: Iterator[memoryview | bytes], size: int) -> None:
        super().__init__(pieces)
        self.len = size


class Stream:
    """An answer whose body is still to be read; ``close`` it."""

    def __init__(self, client: "Client", key: tuple[str, str], connection: Connection, response: Response) -> None:
        self.status = response.status_code
        self.headers = _lower(response.headers)
        self._client = client
        self._key = key
        self._connection: Connection | None = connection
        self._response = response

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end. Raises RemoteServiceUnavailable if the connection breaks."""
        try:
            return self._response.raw.read(size)
        except _BROKEN as error:
            self.close()
            raise _unanswered("GET", error) from error

    def finish(self) -> Answer:
        """Return the answer with its whole body, which must be small."""
        try:
            body = self._response.content
        except _BROKEN as error:
            self.close()
            raise _unanswered("GET", error) from error
        self.keep()
        return Answer(self.status, self.headers, body)

    def keep(self) -> None:
        """Keep the connection for the next request, once the body was read to its end."""
        if self._connection is not None:
            self._client.give_back(self._key, self._connection)
            self._connection = None

    def close(self) -> None:
        """Close the connection; may be repeated."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Client:
    """Sends requests; shared by threads. ``verify``: whether, or with which CA file, certificates are checked."""

    def __init__(
        self, libraries: Libraries, verify: bool | str = True, connect_timeout: int = 10, read_timeout: int = 60
    ) -> None:
        self._libraries = libraries
        self._verify = verify
        self._timeout = (connect_timeout, read_timeout)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._unused: dict[tuple[str, str], list[Connection]] = {}

    def send(self, account: Account, request: Request) -> Answer:
        """Send the request, again if that may help, and return the answer. Raises RemoteServiceUnavailable.

        No attempt begins when the time-out of a read is over, so a silent Swift costs one time-out.
        """
        return self.open(account, request).finish()

    def open(self, account: Account, request: Request) -> Stream:
        """Send as ``send`` does and return the answer as a stream; with an error status its body is small."""
        attempts, renewed = Attempts(self._timeout[1]), False
        while True:
            try:
                stream = self._once(account, request.method, request.path(account.storage_url), request)
            except _BROKEN as error:
                if not attempts.wait():
                    raise _unanswered(request.method, error) from error
                continue
            if stream.status == 401 and not renewed and account.renew():
                renewed = True
            elif stream.status not in _AGAIN or not attempts.wait():
                return stream
            stream.close()

    def upload(self, account: Account, request: Request, body: Body) -> Answer:
        """Send a request with ``body`` once. Raises RemoteServiceUnavailable, and what ``body`` raises."""
        try:
            return self._once(account, request.method, request.path(account.storage_url), request, body).finish()
        except _BROKEN as error:
            raise _unanswered(request.method, error) from error

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            for connections in self._unused.values():
                for connection in connections:
                    connection.close()
            self._unused.clear()

    def give_back(self, key: tuple[str, str], connection: Connection) -> None:
        """Keep a connection to use it again."""
        with self._lock:
            if self._process == os.getpid():
                self._unused.setdefault(key, []).append(connection)

    def _once(self, account: Account, method: str, path: str, request: Request, body: Body | None = None) -> Stream:
        headers = dict(request.headers)
        if token := account.token():
            headers["X-Auth-Token"] = token
        if body is None and method in ("PUT", "POST"):
            headers["Content-Length"] = str(len(request.body))
        key = origin(account.storage_url)
        connection = self._take(key)
        try:
            response = connection.request(method, path, request.body if body is None else body, headers)
        except BaseException:
            connection.close()
            raise
        return Stream(self, key, connection, response)

    def _take(self, key: tuple[str, str]) -> Connection:
        """Return a connection; those of the parent process are dropped, because it still uses their sockets."""
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                self._unused = {}
            if unused := self._unused.get(key):
                return unused.pop()
        insecure = self._verify is False
        cacert = self._verify if isinstance(self._verify, str) else None
        made = self._libraries.client.HTTPConnection(
            "://".join(key), cacert=cacert, insecure=insecure, timeout=self._timeout
        )
        connection = cast(Connection, made)
        # A redirect would send the token to another host.
        connection.requests_args["allow_redirects"] = False
        return connection


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _unanswered(method: str, error: BaseException) -> errors.RemoteServiceUnavailable:
    """Return the error of a broken connection; its own text holds the URL, so that only its kind is kept."""
    return errors.RemoteServiceUnavailable(reason=f"no answer of Swift to {method} ({type(error).__name__})")
