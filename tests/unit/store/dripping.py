"""A server on loopback that sends one byte after the other, slowly, to any number of clients at once."""

import socket
import threading
import time
from collections.abc import Callable

import fixtures


class DrippingServer(fixtures.Fixture):
    """Sends ``begin`` to each client, then a byte every ``interval`` seconds until the client has gone.

    ``begin`` may be a function of the request's head. ``open`` counts the clients that are there now, ``heads`` are
    the heads of requests.
    """

    def __init__(self, begin: bytes | Callable[[str], bytes] = b"", interval: float = 0.1, host: str = "127.0.0.1"):
        super().__init__()
        self.begin = begin
        self.interval = interval
        self.open = 0
        self.heads: list[str] = []
        self._host = host

    def _setUp(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server((self._host, 0), backlog=200)
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.addCleanup(self._stop)

    def url(self, path: str = "/", host: str | None = None) -> str:
        """Return the address of ``path``."""
        return f"http://{host or self._host}:{self.port}{path}"

    def wait_until(self, count: int, seconds: float = 10) -> bool:
        """Return whether there are ``count`` clients within ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.open != count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.open == count

    def _stop(self) -> None:
        self._stopped.set()
        socket.create_connection((self._host, self.port)).close()
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._stopped.is_set():
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
        try:
            with connection:
                self._drip(connection)
        except OSError:
            """The client hung up, which is what these tests wait for."""
        with self._lock:
            self.open -= 1

    def _drip(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (data := connection.recv(65536)):
                return
            head += data
        self.heads.append(head.decode("latin-1"))
        begin = self.begin(self.heads[-1]) if callable(self.begin) else self.begin
        connection.sendall(begin)
        # What is sent to a client that has gone is lost without a word the first time, so that is looked at too.
        connection.settimeout(self.interval)
        while not self._stopped.is_set():
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                connection.sendall(b"x")
