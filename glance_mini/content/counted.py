"""Counts the bytes of a stream, also if a server sends them directly from a file."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import FilePart


class CountedStream(Iterator[bytes]):
    """Passes ``chunks`` on and calls ``on_end(sent)`` with the number of bytes sent, once, when it is closed.

    ``file`` and ``offset`` are those of the chunks. If a server sends the file directly, the bytes are counted by the
    position of the file.
    """

    def __init__(self, chunks: Iterator[bytes], on_end: Callable[[int], None]) -> None:
        self.file: BinaryIO | None = getattr(chunks, "file", None)
        self.offset: int = getattr(chunks, "offset", 0)
        self.length: int | None = getattr(chunks, "length", None)
        self._chunks = chunks
        self._on_end: Callable[[int], None] | None = on_end
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._sent += len(chunk)
        return chunk

    @property
    def parts(self) -> Iterator[Chunk | FilePart] | None:
        """Those of the chunks, counted; None: there are none."""
        parts = getattr(self._chunks, "parts", None)
        return None if parts is None else self._counted(parts)

    def _counted(self, parts: Iterator[Chunk | FilePart]) -> Iterator[Chunk | FilePart]:
        for part in parts:
            yield part
            # It comes back for the next one when this one was sent.
            self._sent += part.length if isinstance(part, FilePart) else len(part)

    def close(self) -> None:
        """Close the chunks and report the count; further calls do nothing."""
        on_end, self._on_end = self._on_end, None
        if on_end is None:
            return
        sent = self._sent
        if not sent and self.file is not None and not self.file.closed:
            sent = self.file.tell() - self.offset
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
        on_end(sent)
