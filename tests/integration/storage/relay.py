"""A relay in front of a real server, which breaks connections where a test wants it."""

import contextlib
import socket
import threading

import fixtures

_BLOCK = 65536
_REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Relay(fixtures.Fixture):
    """Passes connections to ``port`` of this machine on; ``self.port`` is where it listens.

    ``break_up`` and ``break_down``: after so many further bytes to, or from, the server, its connections break.
    ``is_away``: new connections are closed at once; ``stays_away``: a break makes it so. ``breaks`` counts what
    was broken. A request with one of the ``expired`` tokens is answered with 401, as after its time.
    """

    def __init__(self, port):
        super().__init__()
        self._server = port
        self.break_up = self.break_down = None
        self.is_away = False
        self.stays_away = False
        self.breaks = 0
        self.expired = set()

    def _setUp(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open = set()
        self.addCleanup(self._end)
        threading.Thread(target=self._accept, daemon=True).start()

    def _end(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._break()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_away:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._server))
            with self._lock:
                self._open |= {near, far}
            for source, target, name in ((near, far, "break_up"), (far, near, "break_down")):
                threading.Thread(target=self._pass_on, args=(source, target, name), daemon=True).start()

    def _pass_on(self, source, target, name):
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                if self._is_over(name, len(block)):
                    self._break()
                    return
                if name == "break_up" and any(token.encode() in block for token in self.expired):
                    source.sendall(_REFUSAL)
                    break
                target.sendall(block)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _is_over(self, name, length):
        with self._lock:
            left = getattr(self, name)
            if left is None:
                return False
            setattr(self, name, left - length if left > length else None)
            if left > length:
                return False
            self.breaks += 1
            self.is_away = self.stays_away
            return True

    def _break(self):
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self._open = set()
