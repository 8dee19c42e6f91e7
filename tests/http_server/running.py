"""A server process for tests, and a client that speaks to it byte by byte."""

import datetime
import errno
import ipaddress
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import fixtures
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.programs import start

TIMEOUTS = 60
"""Seconds after which a test gives up waiting; nothing takes nearly as long unless it is broken."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.2
"""Seconds between two looks at what a test waits for: what is quick is seen soon, what is slow is not slowed down."""


ROOT = Path(__file__).parents[2]


def command(settings, directory):
    """The module and the argument of a server whose application keeps its files in `directory`."""
    return "tests.http_server.served", json.dumps({**settings, "app": str(directory)})


class Server(fixtures.Fixture):
    """`tests.http_server.served` in a process of its own, ready to answer.

    The keywords are fields of ServerSettings.
    """

    def __init__(self, **settings):
        super().__init__()
        self.settings = {"workers": 1, "threads": 4, **settings}

    def _setUp(self):
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        if "bind" not in self.settings:
            self._listen()
        self._start()
        self.addCleanup(self._end)
        self._wait_until_ready()

    def client(self, test, **arguments):
        """A new connection, closed when `test` ends."""
        return Client(test, self, **arguments)

    def _listen(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.address = self.listener.getsockname()
        self._inherited = (self.listener.fileno(),)
        self.settings["bind"] = [f"fd://{self.listener.fileno()}"]

    def _start(self):
        self.log_file = self.directory / "log"
        with self.log_file.open("wb") as log:
            self.process = start(
                *command(self.settings, self.directory),
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=getattr(self, "_inherited", ()),
                cwd=ROOT,
            )

    def _wait_until_ready(self):
        if not select.select([self.process.stdout], [], [], TIMEOUTS)[0]:
            raise AssertionError("the server does not get ready: " + self.log)
        line = self.process.stdout.readline()
        if line != b"ready\n":
            raise AssertionError(f"the server says {line!r}: {self.log}")

    @property
    def log(self):
        return self.log_file.read_text()

    def stop(self, number=signal.SIGTERM):
        """Send a signal and return what `end` does."""
        self.process.send_signal(number)
        return self.end()

    def end(self):
        """Wait for the end and return the exit code and what was printed after "ready"."""
        output, _ = self.process.communicate(timeout=TIMEOUTS)
        return self.process.returncode, output

    def let_go(self):
        """Let the requests of `/wait` be answered."""
        (self.directory / "go").touch()

    def refuses_connections(self):
        """Tell whether nobody listens any more; the test has closed `listener` before."""
        with socket.socket() as sock:
            return sock.connect_ex(self.address) == errno.ECONNREFUSED

    def _end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


class Response:
    """What came back."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One connection to a server, closed at the end of the test."""

    def __init__(self, test, server, tls=None, receive_buffer=None):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(server.address, str) else socket.AF_INET)
        test.addCleanup(self.close)
        self.socket.settimeout(TIMEOUTS)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(server.address)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self._buffer = b""

    def close(self):
        self.socket.close()

    def send(self, *parts):
        for part in parts:
            self.socket.sendall(part.encode("latin-1") if isinstance(part, str) else part)

    def request(self, path, method="GET", body=b"", headers=""):
        """Send a request in one piece and return the response."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{length}{headers}\r\n".encode() + body)
        return self.response(method)

    def response(self, method="GET"):
        """Read one response."""
        head = self._until(b"\r\n\r\n")
        answer = Response(head, b"")
        if method == "HEAD" or answer.status in (100, 204, 304):
            return answer
        if "content-length" in answer.headers:
            answer.body = self._exactly(int(answer.headers["content-length"]))
        else:
            answer.body = self.rest()
        return answer

    def head(self):
        """Wait for the head of an answer and return it; its body is left to be read."""
        return self._until(b"\r\n\r\n")

    def rest(self):
        """Everything until the server ends the connection, in whatever way."""
        try:
            while self._more():
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        data, self._buffer = self._buffer, b""
        return data

    def _until(self, mark):
        while mark not in self._buffer:
            if not self._more():
                raise AssertionError(f"the connection ended after {self._buffer!r}")
        head, _, self._buffer = self._buffer.partition(mark)
        return head

    def _exactly(self, count):
        while len(self._buffer) < count:
            if not self._more():
                raise AssertionError(f"the connection ended after {len(self._buffer)} of {count} bytes")
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _more(self):
        data = self.socket.recv(65536)
        self._buffer += data
        return bool(data)


def eventually(condition, what):
    """Wait until `condition()` is true and return its value."""
    deadline, pause = time.monotonic() + TIMEOUTS, SHORTEST_PAUSE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen that {what}")
        time.sleep(pause)
        pause = min(1.3 * pause, LONGEST_PAUSE)
    return value


def certificate(directory):
    """Write a self-signed certificate for 127.0.0.1 and its key.

    Returns their paths and a context for clients.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = (os.path.join(directory, name) for name in ("certificate.pem", "key.pem"))
    Path(certificate_file).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    Path(key_file).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file, ssl.create_default_context(cafile=certificate_file)


class Shared:
    """A mix-in: one server, with the `settings` of the class, for all tests of a class."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(**cls.settings)
        cls.server.setUp()
        cls.addClassCleanup(cls.server.cleanUp)

    def client(self, **arguments):
        return self.server.client(self, **arguments)


class SharedWithTLS(Shared):
    """The same with TLS: `tls` is the context of a client that trusts the server."""

    @classmethod
    def setUpClass(cls):
        directory = fixtures.TempDir()
        directory.setUp()
        cls.addClassCleanup(directory.cleanUp)
        certificate_file, key_file, cls.tls = certificate(directory.path)
        cls.settings = {**cls.settings, "tls_certificate": certificate_file, "tls_key": key_file}
        super().setUpClass()
