"""A relay in front of a real server, which breaks connections where a test wants it, and slows them down."""

import contextlib
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import fixtures
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_BLOCK = 65536
_REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Relay(fixtures.Fixture):
    """Passes connections to ``port`` of this machine on; ``self.port`` is where it listens, ``server`` may change.

    ``break_up`` and ``break_down``: after so many further bytes to, or from, the server, its connections break;
    ``breaks`` counts that. ``is_away``: new connections are closed at once; ``stays_away``: a break makes it so.
    ``is_silent``: new connections are not answered. A request with one of the ``expired`` tokens is answered with 401.
    ``rate``: bytes per second in each direction of each connection; ``received``: how many have come from the server.
    """

    def __init__(self, port, certificate=None):
        """``certificate``: a file with key and certificate, by which clients come over TLS."""
        super().__init__()
        self.server = port
        self._tls = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate)
        self.break_up = self.break_down = None
        self.is_away = self.is_silent = False
        self._silenced = []
        self.stays_away = False
        self.breaks = 0
        self.rate = None
        self.received = 0
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
        self.break_all()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_away:
                near.close()
                continue
            if self.is_silent:
                self._silenced.append(near)
                continue
            if self._tls is not None:
                try:
                    near = self._tls.wrap_socket(near, server_side=True)
                except OSError:
                    near.close()
                    continue
            try:
                far = socket.create_connection(("127.0.0.1", self.server))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for source, target, name in ((near, far, "break_up"), (far, near, "break_down")):
                threading.Thread(target=self._pass_on, args=(source, target, name), daemon=True).start()

    def _pass_on(self, source, target, name):
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                if self._is_over(name, len(block)):
                    self.break_all()
                    return
                if name == "break_up" and any(token.encode() in block for token in self.expired):
                    source.sendall(_REFUSAL)
                    break
                if name == "break_down":
                    self.received += len(block)
                self._send(target, block)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _send(self, target, block):
        while block and (rate := self.rate):
            step = max(1, rate // 20)
            target.sendall(block[:step])
            block = block[step:]
            time.sleep(0.05)
        target.sendall(block)

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

    def break_all(self):
        """Break all connections."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self._open = set()


def make_certificate(path, host="localhost"):
    """Write a new key and a certificate of ``host``, signed by itself, to the file ``path``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(path, "wb") as file:
        file.write(secret + certificate.public_bytes(pem))
    return path
