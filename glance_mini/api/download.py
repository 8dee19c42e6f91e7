"""The bytes of a download on their way to the server: as a file where it can send one, else block by block."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from glance_mini.api.body import BLOCK
from glance_mini.api.transfer_slots import Slot

Environ = dict[str, Any]


def download_body(environ: Environ, chunks: Iterator[bytes], slot: Slot, whole: bool) -> Any:
    """Return what a WSGI application answers with; its ``close`` ends ``chunks`` and releases ``slot``.

    Only a whole file goes by ``wsgi.file_wrapper``: PEP 3333 lets a server send to the end of the file.
    """
    file: BinaryIO | None = getattr(chunks, "file", None)
    wrapper = environ.get("wsgi.file_wrapper")
    if file is not None and whole and wrapper is not None:
        return wrapper(SentFile(file, chunks, slot), BLOCK)
    return SentChunks(chunks, slot)


class SentChunks(Iterator[bytes]):
    """Passes chunks on, counted."""

    def __init__(self, chunks: Iterator[bytes], slot: Slot) -> None:
        self._chunks = chunks
        self._slot = slot

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._slot.count(len(chunk))
        return chunk

    def close(self) -> None:
        """End the chunks; the server calls it, however the answer ended."""
        _close(self._chunks, self._slot)


class SentFile:
    """A file for the server to send from its position to its end; where it then stands tells what was sent."""

    def __init__(self, file: BinaryIO, chunks: Iterator[bytes], slot: Slot) -> None:
        self._file = file
        self._chunks = chunks
        self._slot = slot
        self._start = file.tell()
        self.fileno: Callable[[], int] = file.fileno
        self.seek = file.seek
        self.tell = file.tell
        self.read = file.read

    def close(self) -> None:
        """End the chunks; the server calls it, however the answer ended."""
        if not self._file.closed:
            self._slot.count(self._file.tell() - self._start)
        _close(self._chunks, self._slot)


def _close(chunks: Iterator[bytes], slot: Slot) -> None:
    try:
        close: Callable[[], None] | None = getattr(chunks, "close", None)
        if close is not None:
            close()
    finally:
        slot.release()
