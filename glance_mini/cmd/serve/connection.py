"""One client connection while no thread works on it: TLS handshake, wait for a request head, end of the connection.

No method blocks, so that one thread can serve all connections. A request gets a thread of its own only when its head
is complete. The worker decides which method to call.
"""

import contextlib
import enum
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn

from glance_mini.cmd.serve.framing import has_whole_head
from glance_mini.cmd.serve.settings import Limits
from glance_mini.cmd.serve.sockets import ClientSocket, TLSClientSocket

LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 * 1024 * 1024
_PIECE = 16 * 1024
_PIECES_AT_ONCE = 64
_PLAIN_ON_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 37\r\n\r\n"
    b"This port speaks HTTPS and not HTTP.\n"
)


class Next(enum.Enum):
    """What a connection needs next."""

    READABLE = selectors.EVENT_READ
    WRITABLE = selectors.EVENT_WRITE
    THREAD = "a thread for its request"
    CLOSE = "to be closed"


class Connection(TConn):
    """gunicorn's connection with the states before and after a request.

    `deadline` is when the present state ends (monotonic seconds).
    """

    def __init__(
        self,
        cfg: Any,
        sock: ClientSocket,
        client: Any,
        server: Any,
        *,
        limits: Limits,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(cfg, sock, client, server)
        self.initialized = True
        self.data_ready = True
        self._io_timeout = limits.io_timeout
        self._step: Callable[[], Next] = self._read_head
        sock.admit(limits)
        if tls is not None:
            self.sock = _wrap(tls, sock)
            self.sock.admit(limits)
            self._step = self._shake_hands
        self.parser = RequestParser(cfg, self.sock, client)
        self._head = bytearray()
        self._checked = 0
        self._lingered = 0
        self.deadline = time.monotonic() + limits.io_timeout

    def advance(self) -> Next:
        """Advance as far as possible without waiting.

        Raises OSError if the connection failed, and gunicorn's errors for an invalid head.
        """
        try:
            return self._step()
        except (BlockingIOError, ssl.SSLWantReadError):
            return Next.READABLE
        except ssl.SSLWantWriteError:
            return Next.WRITABLE

    def expect_request(self, unused: bytes) -> None:
        """Wait for the head of the next request, of which `unused` has already arrived."""
        self.sock.setblocking(False)
        self._step = self._read_head
        self.deadline = time.monotonic() + (self._io_timeout if unused else self.cfg.keepalive)
        self._head += unused

    def linger(self) -> None:
        """End sending, and from now on read and drop what still arrives.

        After an immediate close the system would answer such bytes with a reset, which destroys the last response on
        its way (RFC 9112 section 9.6).
        """
        self.sock.setblocking(False)
        self._step = self._drop
        self.deadline = time.monotonic() + LINGER_SECONDS
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def _shake_hands(self) -> Next:
        try:
            self.sock.do_handshake()
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                socket.socket.send(self.sock, _PLAIN_ON_TLS)
                self.linger()
                return Next.READABLE
            raise
        self._step = self._read_head
        return self.advance()

    def _read_head(self) -> Next:
        while not (self._head and has_whole_head(self._head, self._checked)):
            self._checked = len(self._head)
            piece = self.sock.recv(_PIECE)
            if not piece:
                return Next.CLOSE
            if not self._head:
                self.deadline = time.monotonic() + self._io_timeout
            self._head += piece
        self.parser.unreader.unread(bytes(self._head))
        self._head, self._checked = bytearray(), 0
        return Next.THREAD

    def _drop(self) -> Next:
        for _ in range(_PIECES_AT_ONCE):
            count = len(self.sock.recv(_PIECE))
            self._lingered += count
            if not count or self._lingered > _LINGER_BYTES:
                return Next.CLOSE
        return Next.READABLE


def _wrap(tls: ssl.SSLContext, sock: ClientSocket) -> TLSClientSocket:
    wrapped = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    assert isinstance(wrapped, TLSClientSocket)
    return wrapped
