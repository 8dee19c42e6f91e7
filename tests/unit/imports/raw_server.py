"""A server on loopback that answers each connection with bytes that a test wrote, sensible or not."""

import socket
import threading
from collections.abc import Callable

import fixtures

Answer = bytes | Callable[[socket.socket], None]
"""Bytes to send before the connection is closed, or what to do with the connection."""


def response(body=b"", status="200 OK", **headers):
    """Return an answer; ``headers`` with underscores, Content-Length is that of the body unless given (None: none)."""
    fields = {"Content_Length": len(body), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


class RawServer(fixtures.Fixture):
    """Gives the answers one after the other, the last one again and again; ``asked`` are the heads of requests."""

    def __init__(self, *answers: Answer, tls=None) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[str] = []
        self._tls = tls

    def _setUp(self) -> None:
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(self._stop)

    def _stop(self) -> None:
        self._stopped.set()
        socket.create_connection(("127.0.0.1", self.port)).close()

    def url(self, path="/", host="127.0.0.1"):
        """Return the address of ``path``."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def stall(self, connection: socket.socket) -> None:
        """Send nothing until the client has gone or the test is over."""
        connection.settimeout(0.05)
        while not self._stopped.is_set():
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def begin_and_stall(self, data: bytes) -> Answer:
        """Return an answer that sends ``data`` and then nothing."""

        def answer(connection):
            connection.sendall(data)
            self.stall(connection)

        return answer

    def _serve(self) -> None:
        with self._socket:
            while True:
                connection, _ = self._socket.accept()
                if self._stopped.is_set():
                    connection.close()
                    return
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                connection.settimeout(10)
                head = b""
                while not head.endswith(b"\r\n\r\n") and (data := connection.recv(65536)):
                    head += data
                self.asked.append(head.decode("latin-1"))
                answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
        except OSError:
            """The client hung up, as many of these tests make it do."""
