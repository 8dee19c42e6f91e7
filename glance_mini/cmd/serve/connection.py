"""One client connection while no thread works on it: TLS handshake, wait for a request, rest of its answer, end.

No method blocks, so that one thread can serve all connections. A request gets a thread of its own only when its head
is complete, and its body too if it is small. The worker decides which method to call.
"""

import contextlib
import enum
import logging
import re
import select
import selectors
import socket
import ssl
import struct
import time
from collections.abc import Callable

from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn

from glance_mini.cmd.serve.body import BrokenBody, StalledBody
from glance_mini.cmd.serve.framing import announced_body, has_whole_head
from glance_mini.cmd.serve.settings import Limits
from glance_mini.cmd.serve.small_body import SmallBody
from glance_mini.cmd.serve.sockets import ClientSocket, TLSClientSocket

LOG = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
"""How long a connection that ends is kept open for bytes that the client has sent, and for a next request at a stop."""

_LINGER_SECONDS = 15.0
_LINGER_BYTES = 512 * 1024 * 1024
_PIECE = 16 * 1024
_BODY_PIECE = 64 * 1024
_PIECES_AT_ONCE = 16
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
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
    LEAVE = "to be given to its successor"


class Connection(TConn):
    """gunicorn's connection with the states before and after a request.

    `deadline` is when the present state ends (monotonic seconds). `tls` is the context that it was made with.
    """

    def __init__(
        self,
        cfg: Config,
        sock: ClientSocket,
        client: object,
        server: object,
        *,
        limits: Limits,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(cfg, sock, client, server)
        self.initialized = True
        self.data_ready = True
        self._limits = limits
        self.tls = tls
        self._step: Callable[[], Next] = self._read_head
        sock.admit(limits)
        if tls is not None:
            self.sock = _wrap(tls, sock)
            self.sock.admit(limits)
            self._step = self._shake_hands
        self.parser = RequestParser(cfg, self.sock, client)
        self.is_waiting = True
        self._head = bytearray()
        self._checked = 0
        self._body: SmallBody | None = None
        self._unread = 0
        self._is_reused = False
        self._lingered = 0
        self._lingering_until = 0.0
        self.deadline = time.monotonic() + limits.io_timeout

    @property
    def held_bytes(self) -> int:
        """The memory that the present request takes while the client is waited for."""
        return self.sock.kept_bytes + (0 if self._body is None else len(self._body.data))

    @property
    def is_between_requests(self) -> bool:
        """Whether no request has begun."""
        return self._step == self._read_head

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

    def expire(self) -> Next:
        """End the present state, because its time is over or its memory is needed."""
        if self._step == self._read_body:
            assert self._body is not None
            self._body.fail(StalledBody("the client stalled: the body did not arrive in time"))
            return Next.THREAD
        if self.sock.kept_bytes:
            LOG.info("Client %s stalled during the response.", self.client)
            with contextlib.suppress(OSError):
                # Otherwise the system keeps what it holds of the answer until the client takes it.
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        return Next.CLOSE

    def take_body(self) -> tuple[bytes, OSError | None]:
        """Return what has arrived of the body of the request, and what fails where that ends."""
        body, self._body = self._body, None
        return (b"", None) if body is None else (bytes(body.data), body.failure)

    def end_request(self, unread: int) -> None:
        """Note in the thread of a request that the next one follows after `unread` bytes of the body."""
        self._unread = unread

    def is_readable(self, seconds: float) -> bool:
        """Wait in the thread of a request until bytes have arrived, and return whether they have."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def send_answer(self, is_reused: bool) -> None:
        """Send the rest of the answer to a request; then wait for the next one, or end if not `is_reused`."""
        self._body = None
        self._is_reused = is_reused
        self.sock.setblocking(False)
        self._step = self._send_kept
        self.deadline = time.monotonic() + self._limits.answer_timeout

    def linger(self) -> None:
        """End sending, and from now on read and drop what still arrives.

        After an immediate close the system would answer such bytes with a reset, which destroys the last response on
        its way (RFC 9112 section 9.6). A client that goes on sending may do so for a while.
        """
        self.sock.setblocking(False)
        self._step = self._drop
        now = time.monotonic()
        self.deadline = now + IDLE_SECONDS
        self._lingering_until = now + _LINGER_SECONDS
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def _send_kept(self) -> Next:
        if not self.sock.send_kept():
            return Next.WRITABLE
        if not self._is_reused:
            self.linger()
            return Next.READABLE
        self._step = self._skip_body
        self.deadline = time.monotonic() + IDLE_SECONDS
        return self._step()

    def _skip_body(self) -> Next:
        while self._unread:
            count = len(self.sock.recv(min(self._unread, _BODY_PIECE)))
            if not count:
                return Next.CLOSE
            self._unread -= count
        self._head += self.parser.unreader.take_buffered()
        seconds = self._limits.io_timeout if self._head else self.cfg.keepalive
        self._step = self._read_head
        self.deadline = time.monotonic() + seconds
        return self._step()

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
                self.deadline = time.monotonic() + self._limits.io_timeout
            self._head += piece
        end = self._head.find(b"\r\n\r\n") + 4
        announced = announced_body(bytes(self._head[:end]))
        if announced is None or self._is_streamed(announced.target) or self._is_large(announced.length):
            self.parser.unreader.unread(bytes(self._head))
            self._head, self._checked = bytearray(), 0
            return Next.THREAD
        self._body = SmallBody(announced, self._limits.small_body)
        self._body.data += self._head[end:]
        self.parser.unreader.unread(bytes(self._head[:end]))
        self._head, self._checked = bytearray(), 0
        self._step = self._read_body
        self.deadline = time.monotonic() + self._limits.body_timeout
        return self._step()

    def _is_streamed(self, target: str) -> bool:
        return re.fullmatch(self._limits.streamed, target, re.DOTALL) is not None

    def _is_large(self, length: int | None) -> bool:
        return length is not None and length > self._limits.small_body

    def _read_body(self) -> Next:
        body = self._body
        assert body is not None
        while not body.is_complete:
            if body.client_waits and not body.data:
                self.sock.keep()
                self.sock.sendall(_CONTINUE)
                body.client_waits = False
            if not self.sock.send_kept():
                return Next.WRITABLE
            piece = self.sock.recv(_BODY_PIECE)
            if not piece:
                body.failure = BrokenBody("the client closed the connection before the end of the body")
                break
            body.data += piece
        return Next.THREAD

    def _drop(self) -> Next:
        for _ in range(_PIECES_AT_ONCE):
            count = len(self.sock.recv(_BODY_PIECE))
            self._lingered += count
            if not count or self._lingered > _LINGER_BYTES:
                return Next.CLOSE
        self.deadline = min(time.monotonic() + IDLE_SECONDS, self._lingering_until)
        return Next.READABLE


def _wrap(tls: ssl.SSLContext, sock: ClientSocket) -> TLSClientSocket:
    wrapped = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    assert isinstance(wrapped, TLSClientSocket)
    return wrapped
