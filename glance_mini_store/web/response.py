"""The response to one request: its status, its headers, and its body in blocks.

The caller decides which responses are valid and what happens after one that broke off.
"""

import re
from collections.abc import Iterator
from email.message import Message

import urllib3

from glance_mini_store.errors import FetchBroken, FetchRefused
from glance_mini_store.numbers import parse_number
from glance_mini_store.streams import BLOCK
from glance_mini_store.web.connection import Connection
from glance_mini_store.web.wire import cause

_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]+)-[0-9]+|\*)/(?:([0-9]+)|\*)")


class HttpResponse:
    """The response of a server; must be closed. Its body is not decoded, even with ``Content-Encoding``."""

    def __init__(self, connection: Connection, answer: urllib3.HTTPResponse, headers: Message) -> None:
        self.status = answer.status
        self.headers = headers
        self._connection = connection
        self._answer = answer

    def close(self) -> None:
        """Close the connection; may be repeated. Other threads end it through the ``Cancellation``."""
        self._connection.close()

    def length(self) -> int | None:
        """Return the announced size of the body in bytes, None if it is not announced."""
        if self._answer.chunked:
            return None
        found: str | None = self.headers.get("Content-Length")
        return None if found is None else int(found)

    def content_range(self) -> tuple[int | None, int | None]:
        """Return the first byte and the total size in Content-Range; each is None if it is missing or not valid."""
        found = _CONTENT_RANGE.fullmatch(self.headers.get("Content-Range", ""))
        if not found:
            return None, None
        start, total = map(parse_number, found.groups(""))
        return (None, None) if found[2] and total is None else (start, total)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body in blocks of 1 MiB.

        Raises FetchBroken if the body ends early, FetchRefused if it is longer than announced. Bytes before an error
        are yielded first.
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
        """Raise FetchRefused if the server sends more than it announced."""
        announced = self.length()
        if announced is not None:
            self._connection.wire.is_parting = True
            if self._connection.wire.reader.peek(1):
                raise FetchRefused(reason=f"The server sent more than the {announced} bytes that it announced.")

    def _read(self, most: int) -> bytes:
        """Return the next 1 to ``most`` bytes of the body, or no bytes at its end."""
        try:
            return self._answer.read1(most, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            left = self._answer.length_remaining
            place = f" {left} bytes before its end" if left else f": {cause(_origin(error))}"
            raise FetchBroken(reason=f"The answer broke off{place}.") from error


def _origin(error: Exception) -> Exception:
    """Return the system's error behind one of urllib3."""
    return error.__cause__ if isinstance(error.__cause__, OSError) else error
