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
        return len(data) - self._arrived(len(data))

    def end_in(self, data: bytearray) -> bool:
        """Return whether there is no reason to wait for more: the end, data beyond the limit, or a fault."""
        have = len(data)
        while self._trailers is None:
            if self._arrived(have) > self._limit:
                return True
            if self._position >= have:
                return False
            match = SIZE_LINE.match(data, self._position)
            if match is None:
                return data.find(b"\n", self._position) >= 0 or have - self._position > SIZE_LINE_LIMIT
            self._begin(match.end(), int(match[1], 16))
        return self._has_last_trailer(data, self._trailers)

    def _arrived(self, have: int) -> int:
        """Return the bytes of data among the first `have` bytes, without those that are only announced."""
        missing = max(0, self._position - 2 - have)
        return self._before + self._chunk - min(missing, self._chunk)

    def _begin(self, position: int, size: int) -> None:
        self._before += self._chunk
        self._chunk = size
        self._position = position + (size + 2 if size else 0)
        self._trailers = None if size else position

    def _has_last_trailer(self, data: bytearray, begin: int) -> bool:
        while (end := data.find(b"\n", self._position)) >= 0:
            is_last = data[self._position : end + 1] == b"\r\n"
            self._position = end + 1
            if is_last:
                return True
        return len(data) - begin > TRAILERS_LIMIT
