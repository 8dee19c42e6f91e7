"""The body of a request as the application reads it at `wsgi.input`.

A body either reaches the end that its Content-Length or its last chunk announces (RFC 9112 sections 6 and 7.1), or
reading it raises; there is no silent end. The two errors are subclasses of the built-in ConnectionError and
TimeoutError, so that an application can distinguish them without this module: broken is 400, stalled is 408. Each
further read raises the error again. `framing.py` decides the framing of a request.
"""

import io
import re
import socket
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from glance_mini_store.numbers import HEXADECIMAL

BUFFER = 64 * 1024
"""Bytes of the buffer for small reads; larger reads bypass it and go straight into the result."""

_FILL = 256 * 1024
SIZE_LINE_LIMIT = 1024
TRAILERS_LIMIT = 16 * 1024
SIZE_LINE = re.compile(rb"(" + HEXADECIMAL + rb")(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n")


class BrokenBody(ConnectionError):
    """The client disconnected before the end of the body, or the body is malformed."""


class StalledBody(TimeoutError):
    """The client sent nothing, or too little, for too long."""


class Wire:
    """The bytes of one request after its head: those read together with the head, then those of the socket.

    `before_first_read` is called once, before the first wait for the client, unless it has sent some of its body.
    `failure` is raised at the end of `ahead`, instead of a wait for the client.
    """

    def __init__(
        self,
        sock: socket.socket,
        ahead: bytes,
        before_first_read: Callable[[], object] | None = None,
        failure: OSError | None = None,
    ) -> None:
        self.failure = failure
        self._socket = sock
        self._ahead = bytearray(ahead)
        self._position = 0
        self._end = len(ahead)
        self._before_first_read = None if ahead else before_first_read

    @property
    def is_untouched(self) -> bool:
        """Whether the client still waits to be asked for its body."""
        return self._before_first_read is not None

    @property
    def has_ahead(self) -> bool:
        """Whether anything is read ahead."""
        return self._position < self._end

    def read_into(self, view: memoryview) -> int:
        """Fill the beginning of `view` and return the count, at least 1. Raises BrokenBody, StalledBody."""
        if not self.has_ahead:
            return self._receive(view)
        count = min(len(view), self._end - self._position)
        view[:count] = memoryview(self._ahead)[self._position : self._position + count]
        self._position += count
        return count

    def read_line(self, limit: int) -> bytes:
        """Return the next line with its line feed. Raises BrokenBody when it is longer than `limit` bytes."""
        while (end := self._ahead.find(b"\n", self._position, min(self._position + limit, self._end))) < 0:
            if self._end - self._position >= limit:
                raise BrokenBody(f"a line of the chunked body is longer than {limit} bytes")
            self._fill()
        line = bytes(self._ahead[self._position : end + 1])
        self._position = end + 1
        return line

    def fill(self) -> None:
        """Read ahead, if nothing is read ahead yet."""
        if not self.has_ahead:
            self._fill()

    def rest(self) -> bytes:
        """Return what was read ahead and not used: the beginning of the next request."""
        return bytes(self._ahead[self._position : self._end])

    def _fill(self) -> None:
        """Receive more behind what is read ahead, in memory that is used again."""
        rest = self.rest()
        self._ahead[: len(rest)] = rest
        self._position, self._end = 0, len(rest)
        if len(self._ahead) < _FILL:
            self._ahead += bytes(_FILL - len(self._ahead))
        self._end += self._receive(memoryview(self._ahead)[self._end :])

    def _receive(self, view: memoryview) -> int:
        if self.failure is not None:
            raise self.failure
        try:
            if self._before_first_read is not None:
                ask, self._before_first_read = self._before_first_read, None
                ask()
            count = self._socket.recv_into(view)
        except TimeoutError as error:
            raise StalledBody(f"the client stalled: {error}") from error
        except OSError as error:
            raise BrokenBody(f"the connection broke: {error}") from error
        if not count:
            raise BrokenBody("the client closed the connection before the end of the body")
        return count


class RawBody(io.RawIOBase):
    """A body without buffering; a subclass knows its framing. After an error every read raises it again.

    `received` is the number of bytes that were read.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.is_finished = False
        self.received = 0
        self.failure: OSError | None = None

    def readable(self) -> bool:
        """Return True: the body can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the beginning of `buffer` and return the count; 0 is the proper end.

        Raises BrokenBody, StalledBody.
        """
        if self.failure is not None:
            raise self.failure
        view = memoryview(buffer)
        if self.is_finished or not view:
            return 0
        try:
            count = self._read_into(view)
        except OSError as error:
            self.failure = error
            raise
        self.received += count
        return count

    @abstractmethod
    def _read_into(self, view: memoryview) -> int:
        """Read what is there into ``view``, which is not empty; return the count, 0 at the end."""


class FixedBody(RawBody):
    """A body of `length` bytes."""

    def __init__(self, wire: Wire, length: int) -> None:
        super().__init__(wire)
        self.left = length
        self.is_finished = not length

    def _read_into(self, view: memoryview) -> int:
        count = self.wire.read_into(view[: self.left])
        self.left -= count
        self.is_finished = not self.left
        return count


class ChunkedBody(RawBody):
    """A body in chunks; chunk extensions and trailers are checked for their form and dropped."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._left = 0
        self._is_first = True

    def _read_into(self, view: memoryview) -> int:
        count = 0
        while count < len(view) and (self._left or self._begin_chunk()):
            # The lines between small chunks are received together with their data.
            if self._left < _FILL or len(view) < BUFFER:
                self.wire.fill()
            more = self.wire.read_into(view[count : count + self._left])
            count += more
            self._left -= more
            if not self.wire.has_ahead:
                break
        return count

    def _begin_chunk(self) -> bool:
        """Read up to the data of the next chunk; return False if there is no further chunk."""
        if not self._is_first and self.wire.read_line(2) != b"\r\n":
            _refuse("a chunk is longer than its size")
        self._is_first = False
        match = SIZE_LINE.fullmatch(self.wire.read_line(SIZE_LINE_LIMIT))
        if match is None:
            _refuse("a chunk has no valid size line")
        self._left = int(match[1], 16)
        if not self._left:
            self._skip_trailers()
            self.is_finished = True
        return bool(self._left)

    def _skip_trailers(self) -> None:
        left = TRAILERS_LIMIT
        while (line := self.wire.read_line(left)) != b"\r\n":
            if not _TRAILER_LINE.fullmatch(line):
                _refuse("a trailer is not a header line")
            left -= len(line)


def _refuse(problem: str) -> NoReturn:
    raise BrokenBody(f"{problem} in the chunked body")


class RequestBody(io.BufferedReader):
    """The stream for the application: read, read1, readinto, readline and iteration, each as for a file.

    `read(n)` returns fewer than `n` bytes only at the proper end. Large reads (1 MiB) are much cheaper than small ones,
    because they are received straight into the result.
    """

    raw: RawBody

    def __init__(self, raw: RawBody, abandon: Callable[[], object]) -> None:
        super().__init__(raw, min(BUFFER, max(1, raw.left)) if isinstance(raw, FixedBody) else BUFFER)
        self._abandon = abandon

    @property
    def is_finished(self) -> bool:
        """Whether the body has been received to its proper end, so that the next request can follow."""
        return self.raw.is_finished

    def _can_be_discarded(self) -> bool:
        """Whether the unread rest is known to be small and is on its way."""
        if self.is_finished:
            return True
        wire = self.raw.wire
        if self.raw.failure is not None or wire.failure is not None or wire.is_untouched:
            return False
        return isinstance(self.raw, FixedBody) and self.raw.left <= BUFFER

    def begin_answer(self, is_last: bool) -> None:
        """Call `abandon` if the connection is not used again, so that the response that begins now can announce it.

        The connection is not used again if the response `is_last` or if too much of this body is unread.
        """
        if is_last or not self._can_be_discarded():
            self._abandon()

    def leave(self) -> tuple[bytes, int] | None:
        """Return the beginning of the next request, and how many bytes of this body come before the rest of it.

        None if the next request cannot be found. The body must not be read after that.
        """
        if not self._can_be_discarded():
            return None
        rest = self.raw.wire.rest()
        left = self.raw.left if isinstance(self.raw, FixedBody) else 0
        self.raw.is_finished = True
        return rest[left:], max(0, left - len(rest))
