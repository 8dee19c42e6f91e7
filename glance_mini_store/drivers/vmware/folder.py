"""Datastore files over HTTP: their size, their bytes, and uploads; requests carry the session's cookie.

A request that is refused because the session has ended is made once more with a new one; an upload is not, because its
data is gone then. The answer to the request before it has shown that the session is alive.
"""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

from glance_mini_store import errors
from glance_mini_store.drivers.vmware.place import Place
from glance_mini_store.drivers.vmware.server import explain
from glance_mini_store.drivers.vmware.session import Session
from glance_mini_store.lanes import Chunk
from glance_mini_store.numbers import parse_number
from glance_mini_store.streams import BLOCK
from glance_mini_store.web.timeouts import Timeouts

_OK, _PARTIAL = 200, 206
_STORED = {200, 201, 204}
_MISSING = {301, 404, 410}
"""A folder is answered with a redirect to its listing, so it is no file."""

_REFUSED = {401, 403}
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-")
_SLICE = 64 * 1024
"""Bytes that are sent within one wait, so that a server may take 1 KiB per second with the default time-out."""

_PARTING_SECONDS = 10.0
"""How long to wait until the server has noticed the end of an upload."""


class Folder:
    """Requests to ``/folder``, each on a connection of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def size(self, place: Place) -> int | None:
        """Return the size of a file in bytes, None if there is no such file. Raises Forbidden, BadStoreUri."""
        with Answer(self._ask("HEAD", place, self._session.server.call_limits())) as answer:
            if answer.status in _MISSING:
                return None
            self._check(answer.status, (_OK,), place)
            length = parse_number(answer.response.headers.get("Content-Length", ""))
        if length is None:
            raise errors.RemoteServiceUnavailable(reason="the server does not tell the size of a file")
        return length

    def read(self, place: Place, offset: int, length: int) -> Iterator[bytes]:
        """Return ``length`` bytes (> 0) from ``offset``; raises RemoteServiceUnavailable if they do not all come."""
        limits = self._session.server.transfer_limits()
        answer = Answer(self._ask("GET", place, limits, {"Range": f"bytes={offset}-{offset + length - 1}"}))
        try:
            if answer.status in _MISSING:
                raise errors.NotFound(location=place.location(self._session.server.authority))
            self._check(answer.status, (_OK, _PARTIAL), place)
            if answer.status == _PARTIAL and answer.first_byte() != offset:
                raise errors.RemoteServiceUnavailable(reason="the server sent another range than the one asked for")
        except BaseException:
            answer.close()
            raise
        return Body(answer, offset if answer.status == _OK else 0, length)

    def upload(self, place: Place, size: int | None) -> "Upload":
        """Return an upload to a new file; ``size`` None: unknown, so the data is sent in chunks."""
        return Upload(self._session, place, size)

    def _ask(
        self, method: str, place: Place, limits: Timeouts, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        cookie = self._session.cookie()
        connection, response = self._request(method, place, limits, {**(headers or {}), "Cookie": cookie})
        if response.status in _REFUSED:
            connection.close()
            self._session.renew(cookie)
            cookie = self._session.cookie()
            connection, response = self._request(method, place, limits, {**(headers or {}), "Cookie": cookie})
        return connection, response

    def _request(
        self, method: str, place: Place, limits: Timeouts, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Return the answer to one request; a failed connection is tried again as the session's calls are."""

        def request() -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
            connection = self._session.server.connection(limits)
            try:
                connection.request(method, place.url, headers={**headers, "Connection": "close"})
                return connection, connection.getresponse()
            except BaseException:
                connection.close()
                raise

        return self._session.again(request)

    def _check(self, status: int, expected: tuple[int, ...], place: Place) -> None:
        if status in _REFUSED:
            raise errors.Forbidden(location=place.location(self._session.server.authority))
        if status not in expected:
            raise errors.RemoteServiceUnavailable(reason=f"the server answered {status}")


class Answer:
    """An answer and its connection, which must be closed."""

    def __init__(self, received: tuple[http.client.HTTPConnection, http.client.HTTPResponse]) -> None:
        self._connection, self.response = received
        self.status = self.response.status

    def first_byte(self) -> int | None:
        """Return the position that the body begins at, as Content-Range says; None without one."""
        found = _CONTENT_RANGE.match(self.response.headers.get("Content-Range", ""))
        return parse_number(found[1]) if found else None

    def close(self) -> None:
        """Close the connection; may be repeated."""
        self.response.close()
        self._connection.close()

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Body(Iterator[bytes]):
    """``length`` bytes of an answer after the first ``skip``, in blocks of 1 MiB."""

    def __init__(self, answer: Answer, skip: int, length: int) -> None:
        self._answer = answer
        self._skip = skip
        self._left = length

    def __next__(self) -> bytes:
        if not self._left:
            self.close()
            raise StopIteration
        try:
            while self._skip:
                self._skip -= len(self._read(self._skip))
            block = self._read(self._left)
        except BaseException:
            self.close()
            raise
        self._left -= len(block)
        return block

    def close(self) -> None:
        """End the connection; may be repeated."""
        self._answer.close()

    def _read(self, most: int) -> bytes:
        try:
            block = self._answer.response.read(min(most, BLOCK))
        except (OSError, http.client.HTTPException) as error:
            raise errors.RemoteServiceUnavailable(reason=f"a download broke off: {explain(error)}") from error
        if not block:
            raise errors.RemoteServiceUnavailable(reason="a download ended early")
        return block


class Upload:
    """An upload to ``place``; the connection is made with the first byte. It keeps no data."""

    def __init__(self, session: Session, place: Place, size: int | None) -> None:
        self.size = 0
        self._session = session
        self._place = place
        self._announced = size
        self._connection: http.client.HTTPConnection | None = None

    def write(self, chunk: Chunk) -> None:
        """Send ``chunk``. Raises StorageFull, StorageWriteDenied, RemoteServiceUnavailable."""
        data = memoryview(chunk).cast("B")
        connection = self._connection or self._open()
        if not data:
            return
        try:
            if self._announced is None:
                connection.send(b"%x\r\n" % len(data))
            for start in range(0, len(data), _SLICE):
                connection.send(data[start : start + _SLICE])
            if self._announced is None:
                connection.send(b"\r\n")
        except OSError as error:
            self._explain(error)
        self.size += len(data)

    def finish(self) -> None:
        """Wait until the server has taken all data; errors as ``write``, and SizeMismatch for too few bytes."""
        if self._announced is not None and self.size != self._announced:
            raise errors.SizeMismatch(expected=self._announced, received=self.size)
        connection = self._connection or self._open()
        try:
            if self._announced is None:
                connection.send(b"0\r\n\r\n")
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
        connection.close()
        self._check(response.status)

    def stop(self) -> None:
        """End an upload that is not complete, and wait until the server has noticed: then the file can be deleted."""
        if self._connection is None:
            return
        with suppress(OSError, http.client.HTTPException, errors.StoreError):
            raw = self._connection.sock
            if raw is not None:
                raw.shutdown(socket.SHUT_WR)
                end = time.monotonic() + min(self._session.server.seconds, _PARTING_SECONDS)
                while (left := end - time.monotonic()) > 0:
                    raw.settimeout(left)
                    if not raw.recv(_SLICE):
                        break
        self._connection.close()

    def _open(self) -> http.client.HTTPConnection:
        cookie = self._session.cookie()
        connection = self._session.again(self._connect)
        self._connection = connection
        try:
            connection.putrequest("PUT", self._place.url, skip_accept_encoding=True)
            connection.putheader("Cookie", cookie)
            connection.putheader("Connection", "close")
            connection.putheader("Content-Type", "application/octet-stream")
            if self._announced is None:
                connection.putheader("Transfer-Encoding", "chunked")
            else:
                connection.putheader("Content-Length", str(self._announced))
            connection.endheaders()
        except (OSError, http.client.HTTPException) as error:
            raise errors.RemoteServiceUnavailable(reason=f"an upload failed: {explain(error)}") from error
        return connection

    def _connect(self) -> http.client.HTTPConnection:
        connection = self._session.server.connection(self._session.server.call_limits())
        connection.connect()
        return connection

    def _explain(self, error: Exception) -> NoReturn:
        """Raise the error that the server may have answered before it stopped to read, else that of the network."""
        assert self._connection is not None
        if not isinstance(error, TimeoutError):
            with suppress(OSError, http.client.HTTPException, errors.RemoteServiceUnavailable):
                self._check(self._connection.getresponse().status)
        raise errors.RemoteServiceUnavailable(reason=f"an upload broke off: {explain(error)}") from error

    def _check(self, status: int) -> None:
        if status in _STORED:
            return
        if status in _REFUSED or status in _MISSING:
            reason = f"the server answered {status} to an upload to {self._place.datastore}"
            raise errors.StorageWriteDenied(reason=reason)
        if status == 507:
            raise errors.StorageFull(reason=f"the server answered {status}")
        raise errors.RemoteServiceUnavailable(reason=f"the server answered {status} to an upload")
