"""A worker process: one thread serves all waiting connections, a pool of threads the requests.

Only a complete request takes a thread, so half-sent heads and bodies and half TLS handshakes cost none; only a transfer
takes one while data flows. An answer that is no transfer is kept by the socket, and sent by the thread that serves all
connections if the client does not take it at once. The worker overrides what gunicorn's threaded worker does before and
after a request; gunicorn parses and answers the request.
"""

import contextlib
import os
import signal
import time
from concurrent.futures import Future
from functools import partial

from gunicorn.http.message import Request
from gunicorn.sock import BaseSocket
from gunicorn.workers.gthread import ThreadWorker

from glance_mini.cmd.serve.adapter import Adapter
from glance_mini.cmd.serve.body import ChunkedBody, FixedBody, RequestBody, Wire
from glance_mini.cmd.serve.connection import IDLE_SECONDS, Connection, Next
from glance_mini.cmd.serve.framing import body_length
from glance_mini.cmd.serve.sockets import ClientSocket, TLSClientSocket
from glance_mini.cmd.serve.waiting import WaitingBytes

STOP_SIGNALS = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ACCEPT_PAUSE = 1.0
_LOOK_SECONDS = 0.1
_NOTIFY_SECONDS = 1.0
_MOMENT = 0.002
"""Seconds for which a thread waits for the next request."""
_DEFERENCE = 0.0005
"""Seconds for which a worker with more connections than another leaves a new one to it."""


class Worker(ThreadWorker):
    """gunicorn's threaded worker with time limits for clients. `app` is the service of `server.py`."""

    wsgi: Adapter

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._watched: dict[Connection, None] = {}
        self._waiting = WaitingBytes(self.app.settings.waiting_bytes)
        self._accept_again = 0.0
        self._look_again = 0.0
        self._notify_again = 0.0
        self._busy = 0
        # The settings of gunicorn are slow to read.
        self._threads = int(self.cfg.threads)
        self.place: int | None = self.app.balance.take()

    def init_signals(self) -> None:
        """Ignore SIGINT: Ctrl-C reaches every process of a terminal at once, and the master decides when to stop."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def load_wsgi(self) -> None:
        """Build the application, in this process; from then on SIGHUP lets it read again what it can."""
        super().load_wsgi()
        read_again = getattr(self.wsgi, "read_again", None)
        if read_again is not None:
            signal.signal(signal.SIGHUP, lambda number, frame: read_again())
        self.log.log_request = getattr(self.wsgi, "log_request", None)
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

    def accept(self, listener: BaseSocket) -> None:
        """Accept one connection; if there are too many, close the one that has waited longest."""
        if self.app.balance.is_above_others(self.place):
            time.sleep(_DEFERENCE)
        try:
            accepted, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            self.log.error("Cannot accept connections: %s", error)
            self._accept_again = time.monotonic() + _ACCEPT_PAUSE
            self.set_accept_enabled(False)
            return
        self._count_connections(1)
        sock = ClientSocket(accepted.family, accepted.type, accepted.proto, accepted.detach())
        try:
            limits, tls = self.app.settings, self.app.tls and self.app.tls.current()
            conn = Connection(self.cfg, sock, client, listener.getsockname(), limits=limits, tls=tls)
        except OSError:
            self._count_connections(-1)
            sock.close()
            return
        self._advance(conn)
        if self.nr_conns >= self.worker_connections and self._watched:
            self._forget(next(iter(self._watched)))

    def notify(self) -> None:
        """Tell the master that this worker is alive, once a second; the loop calls it in every turn."""
        now = time.monotonic()
        if now >= self._notify_again:
            self._notify_again = now + _NOTIFY_SECONDS
            super().notify()

    def enqueue_req(self, conn: Connection) -> None:
        """Give the connection to a thread."""
        self._busy += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: Connection, fs: Future[Next]) -> None:
        """Provide what the connection needs that a thread gives back."""
        self._busy -= 1
        conn.is_waiting = True
        self._settle(conn, Next.CLOSE if fs.cancelled() or fs.exception() else fs.result())

    def murder_keepalived(self, force: bool = False) -> None:
        """End what the waiting connections wait for if their deadline has passed, or close all of them."""
        now = time.monotonic()
        if not force and now < self._look_again:
            return
        self._look_again = now + _LOOK_SECONDS
        for conn in [conn for conn in self._watched if force or conn.deadline <= now]:
            if force:
                self._forget(conn)
            else:
                self._expire(conn)
        if self.app.settings.tls_client_ca:
            for conn in [conn for conn in self._watched if conn.is_between_requests and self._must_return(conn)]:
                self._forget(conn)

    def _must_return(self, conn: Connection) -> bool:
        """Return whether the client must connect again: the files of TLS have changed, and may revoke its certificate.

        That is so only where clients need a certificate.
        """
        tls = self.app.tls
        return bool(self.app.settings.tls_client_ca) and tls is not None and conn.tls is not tls.current()

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self._watched:
            if conn.is_between_requests:
                conn.deadline = min(conn.deadline, deadline)

    def _advance(self, conn: Connection) -> None:
        self._settle(conn, self._needs(conn))

    def _needs(self, conn: Connection) -> Next:
        """Advance the connection as far as possible without waiting."""
        try:
            return conn.advance()
        except OSError as error:
            self.log.debug("Connection of %s ended: %s", conn.client, error)
            return Next.CLOSE
        except Exception as error:
            conn.sock.keep()
            self.handle_error(None, conn.sock, conn.client, error)
            conn.send_answer(is_reused=False)
            return Next.WRITABLE

    def _settle(self, conn: Connection, needs: Next) -> None:
        self._waiting.count(conn)
        self._provide(conn, needs)
        largest = self._waiting.largest_above_limit()
        if largest is not None:
            self._expire(largest)

    def _provide(self, conn: Connection, needs: Next) -> None:
        if needs is Next.THREAD:
            conn.is_waiting = False
            self.enqueue_req(conn)
        elif needs is Next.CLOSE:
            self._close(conn)
        elif needs is Next.LEAVE:
            self._leave(conn)
        else:
            if not self.alive and conn.is_between_requests:
                conn.deadline = min(conn.deadline, time.monotonic() + IDLE_SECONDS)
            self._watched[conn] = None
            self.poller.register(conn.sock, needs.value, partial(self._resume, conn))

    def _resume(self, conn: Connection, _sock: object) -> None:
        if conn in self._watched:
            self._unwatch(conn)
            self._advance(conn)

    def _expire(self, conn: Connection) -> None:
        self._unwatch(conn)
        needs = conn.expire()
        self._waiting.count(conn)
        self._provide(conn, needs)

    def _unwatch(self, conn: Connection) -> None:
        del self._watched[conn]
        self.poller.unregister(conn.sock)

    def _forget(self, conn: Connection) -> None:
        self._unwatch(conn)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self._count_connections(-1)
        self._waiting.forget(conn)
        conn.is_waiting = False
        conn.close()

    def _leave(self, conn: Connection) -> None:
        self._count_connections(-1)
        self._waiting.forget(conn)
        conn.is_waiting = False
        conn.sock.hand_over()

    def _count_connections(self, change: int) -> None:
        self.nr_conns += change
        self.app.balance.count(self.place, self.nr_conns)

    def handle(self, conn: Connection) -> Next:
        """Answer requests of a connection, in a thread of the pool; return what the connection needs then.

        As long as no connection waits for a thread, this one keeps the connection for a moment, because many clients
        send their next request at once.
        """
        while True:
            if self._must_return(conn):
                return Next.CLOSE
            conn.sock.keep()
            is_reused = bool(super().handle(conn))
            if conn.sock.successor is not None:
                return Next.LEAVE
            conn.send_answer(is_reused)
            needs = self._needs(conn)
            if needs is Next.READABLE and is_reused and self._has_idle_threads() and conn.is_readable(_MOMENT):
                needs = self._needs(conn)
            if needs is not Next.THREAD or not self._has_idle_threads():
                return needs

    def _has_idle_threads(self) -> bool:
        return bool(self.alive) and self._busy < self._threads

    def handle_request(self, req: Request, conn: Connection) -> bool:
        """Answer the request `req` and return whether the connection may be used again."""
        length = body_length(req.headers)
        ask = partial(_ask_for_body, conn.sock) if req._expected_100_continue else None
        # Otherwise gunicorn sends 100 Continue before the application can refuse the request by its head.
        req._expected_100_continue = False
        body, failure = conn.take_body()
        wire = Wire(conn.sock, req.unreader.take_buffered() + body, ask, failure)
        raw = ChunkedBody(wire) if length is None else FixedBody(wire, length)
        req.body = RequestBody(raw, req.force_close)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError as error:
            self.log.info("Client %s stalled during the response: %s", conn.client, error)
            return False

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        left = conn.parser.mesg.body.leave() if keepalive else None
        if left is None:
            return False
        conn.parser.unreader.unread(left[0])
        conn.end_request(unread=left[1])
        return True


def _ask_for_body(sock: ClientSocket | TLSClientSocket) -> None:
    sock.stop_keeping()
    sock.sendall(_CONTINUE)
    sock.keep()


def announce_ready(descriptor: int, master: int) -> None:
    """Write to the pipe `descriptor` that a worker is ready, and signal the process `master` to read it."""
    with contextlib.suppress(OSError):
        os.write(descriptor, b".")
        os.kill(master, signal.SIGCHLD)
