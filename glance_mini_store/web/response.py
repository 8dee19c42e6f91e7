"""The answer to one request: its status, its headers, and its body in blocks as it comes off the wire.

Which answers are good, and what happens after one that broke off, is decided by those who asked.
"""

from collections.abc import Iterator
from email.message import Message

import urllib3

from glance_mini_store.errors import FetchBroken, FetchRefused
from glance_mini_store.streams import BLOCK
from glance_mini_store.web.connection import Connection
from glance_mini_store.web.wire import cause


class HttpResponse:
    """The answer of a server; to be closed. Its body is as it was sent, whatever ``Content-Encoding`` says."""

    def __init__(self, connection: Connection, answer: urllib3.HTTPResponse, headers: Message) -> None:
        self.status = answer.status
        self.headers = headers
        self._connection = connection
        self._answer = answer

    def close(self) -> None:
        """End the connection; may be repeated. Other threads end it through the ``Cancellation``."""
        self._connection.close()

    def length(self) -> int | None:
        """Return the announced bytes of the body, None if they are not announced."""
        if self._answer.chunked:
            return None
        found: str | None = self.headers.get("Content-Length")
        return None if found is None else int(found)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body, all of it or FetchBroken, in blocks of 1 MiB; more than was announced is FetchRefused.

        What came before an error is yielded first.
        """
        waiting: list[bytes] = []
        size = 0
        try:
            while piece := self._read(BLOCK - size):
                waiting.append(piece)
                size += len(piece)
                if size == BLOCK:
                    yield b"".join(waiting)
                    waiting, size = [], 0
            self._check_end()
        except (FetchBroken, FetchRefused):
            if size:
                yield b"".join(waiting)
            raise
        if size:
            yield b"".join(waiting)

    def _check_end(self) -> None:
        """Return if the server closes the connection behind what it announced."""
        announced = self.length()
        if announced is not None:
            self._connection.wire.is_parting = True
            if self._connection.wire.reader.peek(1):
                raise FetchRefused(reason=f"The server sent more than the {announced} bytes that it announced.")

    def _read(self, most: int) -> bytes:
        """Return what there is of the body, at least one byte before its end and ``most`` bytes at most."""
        try:
            return self._answer.read1(most, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            left = self._answer.length_remaining
            place = f" {left} bytes before its end" if left else f": {cause(_origin(error))}"
            raise FetchBroken(reason=f"The answer broke off{place}.") from error


def _origin(error: Exception) -> Exception:
    """Return the error of the system under one of urllib3."""
    return error.__cause__ if isinstance(error.__cause__, OSError) else error
