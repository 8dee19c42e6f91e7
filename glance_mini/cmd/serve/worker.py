"""A worker process: one thread serves all waiting connections, a pool of threads the requests.

Only a complete request head takes a thread, so half-sent heads and half TLS handshakes cost none. The worker overrides
what gunicorn's threaded worker does before and after a request; gunicorn parses and answers the request.
"""

import contextlib
import os
import signal
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from glance_mini.cmd.serve.adapter import Adapter
from glance_mini.cmd.serve.body import ChunkedBody, FixedBody, RequestBody, Wire
from glance_mini.cmd.serve.connection import LINGER_SECONDS, Connection, Next
from glance_mini.cmd.serve.framing import body_length
from glance_mini.cmd.serve.sockets import ClientSocket

STOP_SIGNALS = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_DISCARD_SECONDS = 2.0
_ACCEPT_PAUSE = 1.0


class Worker(ThreadWorker):
    """gunicorn's threaded worker with time limits for clients. `app` is the service of `server.py`."""

    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watched: dict[Connection, None] = {}
        self._accept_again = 0.0

    def init_signals(self) -> None:
        """Ignore SIGINT: Ctrl-C reaches every process of a terminal at once, and the master decides when to stop."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def load_wsgi(self) -> None:
        """Build the application, in this process."""
        super().load_wsgi()
        self.wsgi = Adapter(self.wsgi, lambda: not self.alive)

    def run(self) -> None:
        """Serve until stopped, let running requests end within the graceful timeout, close the application."""
        super().run()
        close = getattr(self.wsgi.application, "close", None)
        if close is not None:
            close()

    def is_parent_alive(self) -> bool:
        """Return whether the master runs; without it this worker stops."""
        if not super().is_parent_alive():
            self.alive = False
        return bool(self.alive)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting; after a failure it starts again only after a pause.

        A worker that stops for good closes its listening sockets at once, so that a client is refused and can go
        elsewhere, instead of waiting for a service that only ends its last requests.
        """
        if not enabled or time.monotonic() >= self._accept_again:
            super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def accept(self, listener: Any) -> None:
        """Accept one connection; if there are too many, close the one that has waited longest."""
        try:
            accepted, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            self.log.error("Cannot accept connections: %s", error)
            self._accept_again = time.monotonic() + _ACCEPT_PAUSE
            self.set_accept_enabled(False)
            return
        self.nr_conns += 1
        sock = ClientSocket(accepted.family, accepted.type, accepted.proto, accepted.detach())
        try:
            limits, tls = self.app.settings.limits, self.app.tls
            conn = Connection(self.cfg, sock, client, listener.getsockname(), limits=limits, tls=tls)
        except OSError:
            self.nr_conns -= 1
            sock.close()
            return
        self._advance(conn)
        if self.nr_conns >= self.worker_connections and self._watched:
            self._forget(next(iter(self._watched)))

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Wait for the next request on a connection whose last request is answered, or end the connection."""
        try:
            if not fs.cancelled() and fs.result():
                conn.expect_request(conn.parser.unreader.take_buffered())
                if not self.alive:
                    conn.deadline = min(conn.deadline, time.monotonic() + LINGER_SECONDS)
            else:
                conn.linger()
        except Exception:
            self._close(conn)
        else:
            self._advance(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close the waiting connections whose deadline has passed, or all of them."""
        now = time.monotonic()
        for conn in [conn for conn in self._watched if force or conn.deadline <= now]:
            self._forget(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self._watched:
            conn.deadline = min(conn.deadline, deadline)

    def _advance(self, conn: Connection) -> None:
        try:
            needs = conn.advance()
        except OSError as error:
            self.log.debug("Connection of %s ended: %s", conn.client, error)
            needs = Next.CLOSE
        except Exception as error:
            self.handle_error(None, conn.sock, conn.client, error)
            conn.linger()
            needs = Next.READABLE
        if needs is Next.THREAD:
            self.enqueue_req(conn)
        elif needs is Next.CLOSE:
            self._close(conn)
        else:
            self._watched[conn] = None
            self.poller.register(conn.sock, needs.value, partial(self._resume, conn))

    def _resume(self, conn: Connection, _sock: Any) -> None:
        if conn in self._watched:
            self._unwatch(conn)
            self._advance(conn)

    def _unwatch(self, conn: Connection) -> None:
        del self._watched[conn]
        self.poller.unregister(conn.sock)

    def _forget(self, conn: Connection) -> None:
        self._unwatch(conn)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Answer one request, in a thread of the pool; return whether the connection may be used again."""
        length = body_length(req.headers)
        ask = partial(conn.sock.sendall, _CONTINUE) if req._expected_100_continue else None
        # Otherwise gunicorn sends 100 Continue before the application can refuse the request by its head.
        req._expected_100_continue = False
        wire = Wire(conn.sock, req.unreader.take_buffered(), ask)
        raw = ChunkedBody(wire) if length is None else FixedBody(wire, length)
        req.body = RequestBody(raw, req.force_close)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError as error:
            self.log.info("Client %s stalled during the response: %s", conn.client, error)
            return False

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        if not keepalive:
            return False
        request = conn.parser.mesg
        conn.sock.settimeout(_DISCARD_SECONDS)
        if not request.body.discard(_DISCARD_SECONDS):
            return False
        request.unreader.unread(request.body.raw.wire.rest())
        return True


def announce_ready(descriptor: int, master: int) -> None:
    """Write to the pipe `descriptor` that a worker is ready, and signal the process `master` to read it."""
    with contextlib.suppress(OSError):
        os.write(descriptor, b".")
        os.kill(master, signal.SIGCHLD)
