"""Ends the wait of a request for a web server when its client has disconnected.

A WSGI server notices this only when it writes. Until then the request keeps its thread and its transfer slot.
"""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from wsgiref.types import WSGIEnvironment

from glance_mini_store.web.cancellation import Cancellation

_SOCKET = "gunicorn.socket"
"""The environment key of the client's socket in gunicorn; without it a client is not watched."""

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class ClientWatch:
    """Watches the clients of requests that have a connection of the guarded HTTP client open.

    One thread watches them all; it starts with the first such request.
    """

    def __init__(self, interval: float = 1.0) -> None:
        """``interval`` is the longest time in seconds until a new request is watched."""
        self._interval = interval
        self._watched: dict[int, _Request] = {}
        self._lock = threading.Lock()
        self._has_work = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, environ: WSGIEnvironment) -> None:
        """Cancel what the calling thread fetches from now on when the client of ``environ`` disconnects.

        It holds until the next request of the thread, because the server takes the body after the application returns.
        """
        client = environ.get(_SOCKET)
        cancellation = Cancellation() if client is None else _Request(client, self)
        cancellation.begin()

    def add(self, request: "_Request") -> None:
        """Watch the client of ``request``; may be repeated."""
        with self._lock:
            self._watched[id(request)] = request
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="client-watch", daemon=True)
                self._thread.start()
        self._has_work.set()

    def discard(self, request: "_Request") -> None:
        """Stop watching the client of ``request``; may be repeated."""
        with self._lock:
            self._watched.pop(id(request), None)

    def _run(self) -> None:
        while self._has_work.wait():
            self._look()

    def _look(self) -> None:
        """Wait until a client disconnects or the interval ends, and cancel the fetches of disconnected clients."""
        poll = select.poll()
        with self._lock:
            for request in self._watched.values():
                poll.register(request.client, _GONE)
            if not self._watched:
                self._has_work.clear()
                return
        if poll.poll(self._interval * 1000):
            self._cancel_gone()

    def _cancel_gone(self) -> None:
        # A polled descriptor may belong to another connection by now, but no request ends while this lock is held.
        with self._lock:
            for key, request in list(self._watched.items()):
                if _has_gone(request.client):
                    request.cancel()
                    del self._watched[key]


class _Request(Cancellation):
    """The fetches for one request; its client is watched while any of them is open."""

    def __init__(self, client: socket.socket, watch: ClientWatch) -> None:
        super().__init__()
        self.client = client
        self._watch = watch

    def attach(self, connection: socket.socket) -> int:
        key = super().attach(connection)
        self._watch.add(self)
        return key

    @contextmanager
    def waiting(self) -> Iterator[Self]:
        self._watch.add(self)
        try:
            yield self
        finally:
            if self.is_idle:
                self._watch.discard(self)

    def detach(self, key: int) -> None:
        super().detach(key)
        if self.is_idle:
            self._watch.discard(self)


def _has_gone(client: socket.socket) -> bool:
    """Return whether the client has closed its side, because it was killed or gave up."""
    poll = select.poll()
    poll.register(client, _GONE)
    return bool(poll.poll(0))
