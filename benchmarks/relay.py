"""A TCP relay that makes a near server far: it delays both directions, and may limit each connection.

``with Relay("127.0.0.1:9480", delay=0.02, rate=20e6) as address``: bytes per second for each connection, None for no
limit; ``delay`` in seconds for each direction.
"""

import contextlib
import socket
import threading
import time
from collections import deque

_BLOCK = 256 * 1024

_WINDOW = 4 * 1024 * 1024
"""Bytes of a direction of a connection that are on their way at once, as the window of TCP bounds them."""


class Relay:
    """Passes connections to ``target`` (host:port) on, until the context ends; it yields its own host:port."""

    def __init__(self, target: str, delay: float, rate: float | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._delay = delay
        self._rate = rate
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._accept, daemon=True).start()
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink in ((client, server), (server, client)):
                    _Direction(source, sink, self._delay, self._rate).start()


class _Direction:
    """Reads in one thread and sends in another, ``delay`` later; what is on its way is bounded as a window is."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float, rate: float | None) -> None:
        self._source = source
        self._sink = sink
        self._delay = delay
        self._rate = rate
        self._blocks: deque[tuple[float, bytes]] = deque()
        self._on_the_way = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        for work in (self._receive, self._send):
            threading.Thread(target=work, daemon=True).start()

    def _receive(self) -> None:
        free = time.monotonic()
        block = b"-"
        while block:
            try:
                block = self._source.recv(_BLOCK)
            except OSError:
                block = b""
            now = time.monotonic()
            if self._rate:
                free = max(free, now) + len(block) / self._rate
                time.sleep(max(0.0, free - now))
            with self._changed:
                while self._on_the_way > _WINDOW:
                    self._changed.wait()
                self._on_the_way += len(block)
                self._blocks.append((time.monotonic() + self._delay, block))
                self._changed.notify()

    def _send(self) -> None:
        block = b"-"
        while block:
            with self._changed:
                while not self._blocks:
                    self._changed.wait()
                due, block = self._blocks.popleft()
            time.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                if block:
                    self._sink.sendall(block)
                else:
                    self._sink.shutdown(socket.SHUT_WR)
            with self._changed:
                self._on_the_way -= len(block)
                self._changed.notify()
