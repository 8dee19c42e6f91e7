"""Passes the bytes of a download to the WSGI server: as a file if the server can send one, else in blocks."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO
from wsgiref.types import FileWrapper, WSGIEnvironment

from glance_mini.api.body import BLOCK
from glance_mini_store.errors import FetchCancelled
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import FilePart

_PARTS = "glance_mini.parts"
"""The key of a class in the environment of some servers: what ``wsgi.file_wrapper`` is for a file, for SentParts."""


def download_body(
    environ: WSGIEnvironment, chunks: Iterator[bytes], whole: bool, on_close: Callable[[], None]
) -> Iterable[bytes]:
    """Return the body of a WSGI response; its ``close`` ends ``chunks`` and calls ``on_close``.

    Only a whole file uses ``wsgi.file_wrapper``, because PEP 3333 lets a server send to the end of the file.
    """
    file: BinaryIO | None = getattr(chunks, "file", None)
    wrapper: FileWrapper | None = environ.get("wsgi.file_wrapper")
    if file is not None and whole and wrapper is not None:
        return wrapper(SentFile(file, chunks, on_close), BLOCK)
    sender: Callable[[SentParts], Iterable[bytes]] | None = environ.get(_PARTS)
    if sender is not None and file is None and (parts := getattr(chunks, "parts", None)) is not None:
        return sender(SentParts(parts, chunks, on_close))
    return SentChunks(chunks, on_close)


class SentChunks(Iterator[bytes]):
    """Passes chunks on."""

    def __init__(self, chunks: Iterator[bytes], on_close: Callable[[], None]) -> None:
        self._chunks = chunks
        self._on_close = on_close

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except FetchCancelled as error:
            # The server gets the error that its own write would raise.
            raise BrokenPipeError(errno.EPIPE, "the client has gone") from error

    def close(self) -> None:
        """End the chunks; the server calls this after every response, also a failed one."""
        try:
            close: Callable[[], None] | None = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            self._on_close()


class SentParts(SentChunks):
    """Bytes, some of which are ``parts`` of files; a server sends all ``parts``, or what the iteration yields."""

    def __init__(
        self, parts: Iterator[Chunk | FilePart], chunks: Iterator[bytes], on_close: Callable[[], None]
    ) -> None:
        super().__init__(chunks, on_close)
        self.parts = parts


class SentFile(SentChunks):
    """The file that the chunks come from; a server sends it from its current position.

    ``close`` leaves the file where the server said that it stopped, by ``seek`` (as socket.sendfile does) or by
    reading. gunicorn resets the descriptor after that, without calling this object.
    """

    def __init__(self, file: BinaryIO, chunks: Iterator[bytes], on_close: Callable[[], None]) -> None:
        super().__init__(chunks, on_close)
        self.fileno = file.fileno
        self.tell = file.tell
        self._file = file
        self._reached: int | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position in the file and return it."""
        self._reached = self._file.seek(offset, whence)
        return self._reached

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the file, at most ``size`` (-1: all)."""
        self._reached = None
        return self._file.read(size)

    def close(self) -> None:
        """End the chunks; the server calls this after every response, also a failed one."""
        if self._reached is not None and not self._file.closed:
            self._file.seek(self._reached)
        super().close()
