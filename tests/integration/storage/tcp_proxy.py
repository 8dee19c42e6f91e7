"""A TCP proxy between a client and a real server, whose connections a test can hold, break and refuse."""

import contextlib
import socket
import threading

import fixtures

_BLOCK = 64 * 1024
_FAILURE = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TcpProxy(fixtures.Fixture):
    """Listens on ``address`` (host:port) and passes bytes to and from the server at ``target`` (host:port).

    ``break_answer_after``: bytes of the next answers after which their connections are broken, one for each.
    ``lose_answer_to``: the answer to the next request that begins with these bytes is not passed on.
    ``refuse``: the next request that begins with what this pattern matches is answered with 500; ``refused`` counts.
    """

    def __init__(self, target):
        super().__init__()
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.break_answer_after = []
        self.lose_answer_to = None
        self.broken = 0
        self.lost = 0
        self.refuse = None
        self.refused = 0
        self._lock = threading.Lock()
        self._sockets = set()
        self._passing = threading.Event()
        self._passing.set()
        self._is_down = False
        self.held = threading.Event()

    def _setUp(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self._listener.close)
        self.addCleanup(self.go_down)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def go_down(self):
        """Break all connections, and every new one."""
        with self._lock:
            self._is_down = True
            sockets = list(self._sockets)
        self._passing.set()
        for each in sockets:
            _end(each)

    def come_back(self):
        """Pass new connections on again."""
        with self._lock:
            self._is_down = False

    def hold(self):
        """Pass nothing on until ``release``; ``held`` is set when a byte waits."""
        self.held.clear()
        self._passing.clear()

    def release(self):
        """Pass on what waits, and all that comes."""
        self._passing.set()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        with self._lock:
            if self._is_down:
                _end(client)
                return
            server = socket.create_connection(self._target)
            self._sockets |= {client, server}
        connection = _Connection(self, client, server)
        threading.Thread(target=connection.pass_requests, daemon=True).start()
        connection.pass_answers()

    def wait_until_passing(self):
        """Wait while the proxy holds what comes."""
        if not self._passing.is_set():
            self.held.set()
        self._passing.wait()


class _Connection:
    def __init__(self, proxy, client, server):
        self._proxy = proxy
        self._client = client
        self._server = server
        self._answers_are_lost = False

    def pass_requests(self):
        """Pass on what the client sends."""
        with contextlib.suppress(OSError):
            while block := self._client.recv(_BLOCK):
                self._proxy.wait_until_passing()
                if self._proxy.refuse and self._proxy.refuse.match(block):
                    self._proxy.refuse = None
                    self._proxy.refused += 1
                    self._answer(_FAILURE)
                    break
                wanted = self._proxy.lose_answer_to
                if wanted and block.startswith(wanted):
                    self._proxy.lose_answer_to = None
                    self._answers_are_lost = True
                self._server.sendall(block)
        self._end()

    def _answer(self, data):
        """Answer in place of the server, and let the client send what it wants."""
        self._client.sendall(data)
        self._client.shutdown(socket.SHUT_WR)
        while self._client.recv(_BLOCK):
            pass

    def pass_answers(self):
        """Pass on what the server sends."""
        left = None
        with contextlib.suppress(OSError):
            while block := self._server.recv(_BLOCK):
                if self._answers_are_lost and b" 100 " not in block[:20]:
                    self._proxy.lost += 1
                    break
                if left is None and len(block) >= _BLOCK // 4 and self._proxy.break_answer_after:
                    left = self._proxy.break_answer_after.pop(0)
                if left is not None:
                    self._client.sendall(block[:left])
                    left -= len(block)
                    if left <= 0:
                        self._proxy.broken += 1
                        break
                else:
                    self._client.sendall(block)
        self._end()

    def _end(self):
        _end(self._client)
        _end(self._server)


def _end(each):
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
