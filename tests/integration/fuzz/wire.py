"""Requests as bytes, and the answers to them."""

import http.client
import json
import re
import socket

SECONDS = 30
"""The longest wait for an answer; none takes nearly as long unless something is broken."""

KNOWN_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
_ANSWER = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) .*?\r\n(.*?)\r\n\r\n", re.DOTALL)


class Answer:
    """What came back; ``headers`` have names in small letters."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:500]!r}"


def head(method, target, headers):
    """Return the head of a request as bytes; its parts are text of Latin-1."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def framed(body, chunk):
    """Return the header that announces ``body``, and the body; ``chunk`` is the size of its chunks, None without."""
    if body is None:
        return [], b""
    if chunk is None:
        return [("Content-Length", str(len(body)))], body
    pieces = (body[start : start + chunk] for start in range(0, len(body), chunk))
    data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return [("Transfer-Encoding", "chunked")], data + b"0\r\n\r\n"


class Connection:
    """A connection on which several requests can be sent before their answers are read."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def makefile(self, _mode):
        """Return what ``http.client`` reads from; it closes it after each answer."""
        return _Kept(self._stream)

    def answer(self, method):
        """Return the next answer; raises an error of ``http.client`` where it is no whole one."""
        response = http.client.HTTPResponse(self, method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


class _Kept:
    """A stream that stays open."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def close(self):
        """Do nothing."""


def exchange(port, data, method):
    """Send the bytes of one request and return the answer."""
    with Connection(port) as connection:
        connection.send(data)
        return connection.answer(method)


def answers_to(port, data):
    """Send any bytes, end sending, and return status and headers of all answers until the connection ends."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
    return [(int(status), headers.decode("latin-1").lower()) for status, headers in _ANSWER.findall(received)]
