"""A small body that waits for its end, so that its request needs no thread before.

The bytes stay as they came: the application reads them later through `body.py`, which checks them. This module only
finds out when to stop waiting.
"""

from glance_mini.cmd.serve.body import SIZE_LINE, SIZE_LINE_LIMIT, TRAILERS_LIMIT, BrokenBody
from glance_mini.cmd.serve.framing import AnnouncedBody

OVERHEAD_LIMIT = 64 * 1024
"""Bytes that the framing of a chunked body may take, beside its data."""


class SmallBody:
    """The bytes of one body, of which `data` has arrived.

    Those of a next request may follow them. `failure` is raised at the end of `data` if the body does not end there.
    """

    def __init__(self, announced: AnnouncedBody, limit: int) -> None:
        """`limit`: the most bytes that the application takes; with one more byte the body counts as complete."""
        self.data = bytearray()
        self.client_waits = announced.client_waits
        self.failure: OSError | None = None
        self._length = announced.length
        self._chunks = _Chunks(limit)

    @property
    def is_complete(self) -> bool:
        """Whether the application can have it: at its end, beyond the limit, or malformed."""
        if self._length is not None:
            return len(self.data) >= self._length
        if self._chunks.end_in(self.data):
            return True
        if self._chunks.overhead(self.data) > OVERHEAD_LIMIT:
            self.failure = BrokenBody(f"the chunks take more than {OVERHEAD_LIMIT} bytes beside their data")
        return self.failure is not None

    def fail(self, failure: OSError) -> None:
        """Wait no longer; what has arrived is dropped."""
        self.data.clear()
        self.failure = failure


class _Chunks:
    """The end of a chunked body (RFC 9112 section 7.1) in bytes to which others are added."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._position = 0
        self._before = 0
        self._chunk = 0
        self._trailers: int | None = None

    def overhead(self, data: bytearray) -> int:
        """Return how many of the bytes are not data of chunks."""
        return len(data) - self._arrived(data)

    def end_in(self, data: bytearray) -> bool:
        """Return whether there is no reason to wait for more: the end, data beyond the limit, or a fault."""
        while True:
            if self._arrived(data) > self._limit:
                return True
            line = self._next_line(data)
            if line is None:
                return self._is_line_too_long(data)
            if self._trailers is None:
                match = SIZE_LINE.fullmatch(line)
                if match is None:
                    return True
                self._begin(int(match[1], 16))
            elif line == b"\r\n":
                return True

    def _arrived(self, data: bytearray) -> int:
        """Return the bytes of data, without those that are only announced."""
        behind = max(0, self._position - 2 - len(data))
        return self._before + self._chunk - min(behind, self._chunk)

    def _next_line(self, data: bytearray) -> bytes | None:
        end = data.find(b"\n", self._position)
        if end < 0:
            return None
        line = bytes(data[self._position : end + 1])
        self._position = end + 1
        return line

    def _begin(self, size: int) -> None:
        self._before += self._chunk
        self._chunk = size
        if size:
            self._position += size + 2
        else:
            self._trailers = self._position

    def _is_line_too_long(self, data: bytearray) -> bool:
        if self._trailers is None:
            return len(data) - self._position > SIZE_LINE_LIMIT
        return len(data) - self._trailers > TRAILERS_LIMIT
