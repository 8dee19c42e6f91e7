"""Kept connections to one HTTPS server, for small requests that must be quick and must end in time.

An exchange costs a third of one through a general client, which counts where a request of the API makes one. Only as
much of HTTP is read here as a registry writes (RFC 9112): it announces the length of each answer. The deadline holds
for the whole exchange, and not only between two pieces of it.
"""

import re
import select
import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

_HEAD_LIMIT = 16 * 1024
_PIECE = 256 * 1024
_STATUS = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) ")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)


class NotReached(OSError):
    """No connection could be made, so the server has not seen the request."""


class Reply(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes


class Connections:
    """Connections to ``host`` and ``port`` with the TLS ``context``; at most ``kept`` stay open. Thread-safe."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, kept: int) -> None:
        self.context = context
        self._address = (host, port)
        self._host = f"[{host}]" if ":" in host else host
        # The last one that was used is used first, so that the server ends those that are too many.
        self._idle: deque[ssl.SSLSocket] = deque()
        self._kept = kept
        self._is_closed = False

    def post(self, path: str, body: bytes, deadline: float, connect_timeout: float, limit: int) -> Reply:
        """Return the answer to ``body``, JSON, sent to ``path``; it ends at ``deadline`` (monotonic seconds).

        Raises OSError: NotReached before anything was sent, TimeoutError, ssl.SSLError, or another one for an answer
        that breaks off, is malformed, or is longer than ``limit`` bytes. The server may then have done what was asked.
        """
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._address[1]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sock = self._take() or self._connect(min(connect_timeout, _left(deadline)))
        try:
            sock.settimeout(_left(deadline))
            sock.sendall(head.encode("ascii") + body)
            reply, is_reusable = _receive(sock, deadline, limit)
        except BaseException:
            sock.close()
            raise
        if is_reusable and not self._is_closed and len(self._idle) < self._kept:
            self._idle.append(sock)
            self._drop_oldest()
        else:
            sock.close()
        return reply

    def close(self) -> None:
        """Close the idle connections; each of the others closes after its answer."""
        self._is_closed = True
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self) -> ssl.SSLSocket | None:
        """Return an idle connection that the server has not ended; None if there is none."""
        with suppress(IndexError):
            while True:
                sock = self._idle.pop()
                if not _has_ended(sock):
                    return sock
                sock.close()
        return None

    def _drop_oldest(self) -> None:
        """Close the connection that has been idle for the longest time, if the server has ended it."""
        with suppress(IndexError):
            oldest = self._idle.popleft()
            if _has_ended(oldest):
                oldest.close()
            else:
                self._idle.appendleft(oldest)

    def _connect(self, timeout: float) -> ssl.SSLSocket:
        try:
            plain = socket.create_connection(self._address, timeout)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self.context.wrap_socket(plain, server_hostname=self._address[0])
            except BaseException:
                plain.close()
                raise
        except OSError as error:
            raise NotReached(f"no connection: {error}") from error


def _receive(sock: ssl.SSLSocket, deadline: float, limit: int) -> tuple[Reply, bool]:
    """Return the answer, and whether the connection can be used again."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _HEAD_LIMIT:
            raise OSError("the head of the answer is too long")
        data += _some(sock, _PIECE, deadline)
    head = bytes(data[: end + 2])
    status, length = _STATUS.match(head), _LENGTH.search(head)
    if status is None or length is None:
        raise OSError("the answer is malformed")
    wanted = int(length[1])
    if wanted > limit:
        raise OSError(f"the answer has {wanted} bytes, beyond the limit of {limit}")
    del data[: end + 4]
    while len(data) < wanted:
        data += _some(sock, min(_PIECE, wanted - len(data)), deadline)
    is_reusable = len(data) == wanted and not _CLOSES.search(head)
    return Reply(int(status[1]), bytes(data[:wanted])), is_reusable


def _some(sock: ssl.SSLSocket, count: int, deadline: float) -> bytes:
    sock.settimeout(_left(deadline))
    data = sock.recv(count)
    if not data:
        raise ConnectionResetError("the connection ended before the answer")
    return data


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _has_ended(sock: ssl.SSLSocket) -> bool:
    """Return whether there is something to read: an idle connection has nothing else than its end."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
