"""A server over TLS that gives answers of the test, right or wrong."""

import socket
import threading

import fixtures

from glance_mini.operations.base import Role
from glance_mini.registry.authority import Authority
from glance_mini.tls import client_context, server_context


class Server(fixtures.Fixture):
    """Answers each request with the next of ``answers``: bytes, or a function of the connection."""

    def __init__(self, folder, *answers):
        super().__init__()
        authority = Authority(folder)
        registry = authority.issue("registry", (), ("localhost",), renew=True)
        node = authority.issue("node", (Role.API,), renew=True)
        self.files = (str(authority.files.certificate), str(node.certificate), str(node.key))
        self._context = server_context(str(registry.certificate), str(registry.key), self.files[0])
        self.context = client_context(*self.files)
        self._answers = list(answers)
        self.requests = []
        self.accepted = 0

    def _setUp(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self._listener.close)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            with self._context.wrap_socket(plain, server_side=True) as sock:
                self.accepted += 1
                while request := sock.recv(65536):
                    self.requests.append(request)
                    answer = self._answers.pop(0)
                    if not callable(answer):
                        sock.sendall(answer)
                    elif not answer(sock):
                        return
        except OSError:
            return
