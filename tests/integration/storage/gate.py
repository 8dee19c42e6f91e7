"""A gate before a server: it passes connections on, delays or cuts them, speaks TLS, or ends sessions of /folder.

A vCenter does things that the simulator never does: it serves TLS, asks for the session of whoever reads a datastore,
and is slow or away. The gate does them, and the simulator answers.
"""

import contextlib
import re
import socket
import threading
import time

import fixtures

_BLOCK = 64 * 1024
_COOKIE = re.compile(rb"(?im)^cookie:.*?vmware_soap_session=\"?([^\";\r\n]+)")


class Gate(fixtures.Fixture):
    """Listens on ``address`` (host:port) and passes to ``server`` (host:port); attributes may be set at any time.

    ``refusal``: status of the answer to each upload. ``is_silent``: nothing is passed on; ``stalls``: nothing more from
    clients. ``drip``: seconds between two bytes of an answer, 0: none. ``cut_after``: each connection is cut after as
    many bytes from the client; ``cut_answers_after``: from the server. ``ended``: sessions whose requests to /folder
    are refused; ``seen``: sessions of such requests. ``away``: as many connections are closed at once.
    """

    def __init__(self, server, tls=None):
        super().__init__()
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._tls = tls
        self.is_silent = False
        self.drip = 0
        self.stalls = False
        self.cut_after = None
        self.cut_answers_after = None
        self.refusal = None
        self.away = 0
        self.ended = set()
        self.seen = []

    def _setUp(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open = [self._listener]
        self._is_over = False
        self.addCleanup(self._close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _close(self):
        self._is_over = True
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self):
        while not self._is_over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self._open.append(client)
        with contextlib.suppress(OSError), client:
            if self.away:
                self.away -= 1
                return
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._open.append(client)
            with client:
                self._connect(client)

    def _connect(self, client):
        head = client.recv(_BLOCK)
        while self.is_silent and not self._is_over:
            time.sleep(0.01)
        session = _COOKIE.search(head)
        if head.partition(b" ")[2].startswith(b"/folder") and session:
            self.seen.append(session[1].decode())
            if session[1].decode() in self.ended:
                client.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
        if self.refusal is not None and head.startswith(b"PUT"):
            client.sendall(b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.refusal)
            client.shutdown(socket.SHUT_WR)
            while client.recv(_BLOCK):
                pass
            return
        with socket.create_connection(self._server) as server:
            self._open.append(server)
            back = threading.Thread(target=self._pass_back, args=(server, client), daemon=True)
            back.start()
            passed = 0
            while head:
                while self.stalls and not self._is_over:
                    time.sleep(0.01)
                server.sendall(head)
                passed += len(head)
                if self.cut_after is not None and passed >= self.cut_after:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                head = client.recv(_BLOCK)
            server.shutdown(socket.SHUT_WR)
            back.join()

    def _pass_back(self, server, client):
        with contextlib.suppress(OSError):
            passed = 0
            while data := server.recv(_BLOCK):
                passed += len(data)
                if self.cut_answers_after is not None and passed > self.cut_answers_after:
                    break
                step = 1 if self.drip else len(data)
                for start in range(0, len(data), step):
                    client.sendall(data[start : start + step])
                    time.sleep(self.drip)
            client.shutdown(socket.SHUT_RDWR)
