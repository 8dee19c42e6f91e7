"""The application as gunicorn calls it.

It handles broken request bodies, files as responses, and connections that cannot be used again.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gunicorn.http.wsgi import FileWrapper

from glance_mini.cmd.serve.body import BrokenBody, RequestBody, StalledBody
from glance_mini.cmd.serve.sockets import TLSClientSocket

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

    from glance_mini.api.download import SentParts

_FILE_BLOCK = 256 * 1024

PEER = "glance_mini.peer_certificate"
"""The key of a function in the environment: with TLS it returns the client's verified certificate, {} without one."""


LEAVING = "glance_mini.leaving"
"""The key in the environment of `LeavingAnswer`, with which the application takes the connection from the server."""

PARTS = "glance_mini.parts"
"""The key in the environment of `PartsAnswer`, with which the application lets parts of files be sent."""

Take = Callable[[socket.socket, bytes], None]


class LeavingAnswer:
    """An answer whose connection leaves the server, and with it the pool of threads.

    `take` gets the socket and the head of the answer, which is not sent yet. It does not block; it owns the socket.
    """

    def __init__(self, take: Take) -> None:
        self.take = take

    def __iter__(self) -> Iterator[bytes]:
        """Return no body: a server that does not know this class would send an empty answer."""
        return iter(())


class FileAnswer(FileWrapper):
    """`wsgi.file_wrapper`: a file sent from its present position, by sendfile if the connection allows it.

    The file-like object needs `fileno`, `seek`, `tell`, `read` and `close`; one without a descriptor is read.
    """

    def __init__(self, filelike: BinaryIO, blksize: int = _FILE_BLOCK) -> None:
        super().__init__(filelike, max(blksize, _FILE_BLOCK))
        self._left: int | None = None

    def prepare(self, length: int | None) -> None:
        """Prepare to send `length` bytes (None: to the end)."""
        self._left = length
        if hasattr(self.filelike, "fileno") and hasattr(self.filelike, "tell"):
            # sendfile starts at the position of the descriptor, which differs while the file object has read ahead.
            position = self.filelike.tell()
            self.filelike.seek(0, os.SEEK_END)
            self.filelike.seek(position)

    def __next__(self) -> bytes:
        size = self.blksize if self._left is None else min(self.blksize, self._left)
        data: bytes = self.filelike.read(size) if size else b""
        if not data:
            if self._left:
                raise OSError(f"the file ended {self._left} bytes before the end of the response")
            raise StopIteration
        if self._left is not None:
            self._left -= len(data)
        return data


class PartsAnswer(FileAnswer):
    """What `FileAnswer` is for a file, for parts of files and bytes (`glance_mini.api.download.SentParts`).

    The socket sends the parts. A connection that cannot send files gets what the iteration yields.
    """

    def __init__(self, sent: "SentParts") -> None:
        super().__init__(cast(BinaryIO, _Parts(sent)))
        self._sent = sent

    def prepare(self, length: int | None) -> None:
        """There is nothing to prepare: the parts are those of the answer."""

    def __next__(self) -> bytes:
        return next(self._sent)


class _Parts:
    """What gunicorn and the socket want of a file; before it lets one be sent, gunicorn looks at its position."""

    def __init__(self, sent: "SentParts") -> None:
        self.parts = sent.parts
        self._sent = sent
        self._empty = open(os.devnull, "rb")  # noqa: SIM115
        self.fileno = self._empty.fileno

    def close(self) -> None:
        """End what is sent."""
        self._empty.close()
        self._sent.close()


class Adapter:
    """Wraps the WSGI application `application`; `is_stopping` returns whether the process stops."""

    def __init__(self, application: WSGIApplication, is_stopping: Callable[[], bool]) -> None:
        self.application = application
        self._is_stopping = is_stopping

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request. A body error that the application does not catch becomes 400 or 408."""
        environ["wsgi.file_wrapper"] = FileAnswer
        environ[LEAVING] = LeavingAnswer
        environ[PARTS] = PartsAnswer
        sock = environ["gunicorn.socket"]
        if isinstance(sock, TLSClientSocket):
            environ[PEER] = sock.peer
        answer = _Answer(environ["wsgi.input"], start_response, self._is_stopping)
        try:
            result = self.application(environ, answer.start)
        except StalledBody as error:
            return answer.refuse("408 Request Timeout", error)
        except BrokenBody as error:
            return answer.refuse("400 Bad Request", error)
        except OSError as error:
            # gunicorn treats an OSError as an error of the client's socket and would send no response.
            raise RuntimeError(f"the application failed: {error}") from error
        if isinstance(result, FileAnswer):
            result = _file(result, environ["REQUEST_METHOD"], answer.length)
        if isinstance(result, LeavingAnswer):
            sock.successor = partial(_leave, result.take, answer.head())
            return []
        if not isinstance(result, list):
            # Its end is not known yet: it leaves while it is made, and its thread waits for the client.
            environ["gunicorn.socket"].stop_keeping()
        return result


def _file(result: FileAnswer, method: str, length: int | None) -> Iterable[bytes]:
    if method != "HEAD":
        result.prepare(length)
        return result
    result.filelike.close()
    return []


def _leave(take: Take, head: bytes, sock: socket.socket) -> None:
    take(sock, head)


class _Answer:
    """The head of one response."""

    def __init__(self, body: RequestBody, start_response: StartResponse, is_stopping: Callable[[], bool]) -> None:
        self.length: int | None = None
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._is_started = False
        self._body = body
        self._start_response = start_response
        self._is_stopping = is_stopping

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None
    ) -> Callable[[bytes], object]:
        self._is_started = True
        self._body.begin_answer(is_last=self._is_stopping())
        self._status, self._headers = status, headers
        for name, value in headers:
            if name.lower() == "content-length":
                self.length = int(value)
        return self._start_response(status, headers, exc_info)

    def head(self) -> bytes:
        """Return the head of an answer that ends with the connection."""
        headers = [*self._headers, ("Date", formatdate(usegmt=True)), ("Connection", "close")]
        lines = [f"HTTP/1.1 {self._status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def refuse(self, status: str, error: OSError) -> Iterable[bytes]:
        if self._is_started:
            raise error
        text = f"{error}\n".encode()
        self.start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
        return [text]
