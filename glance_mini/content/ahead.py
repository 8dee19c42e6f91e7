"""Reads the next piece of a stream in a thread while the last one is being sent."""

import queue
import threading
from collections.abc import Callable, Iterator

from glance_mini_store.web.cancellation import Cancellation

_LOOK_SECONDS = 0.5


class ReadAhead(Iterator[bytes]):
    """The pieces that ``read`` returns one after the other until None; at most one waits, and one is being read.

    What ``read`` raises comes after the pieces before it. The thread begins with the first piece that is asked for, and
    calls ``at_end`` when it ends; it needs no end if it never began.
    """

    def __init__(self, read: Callable[[], bytes | None], at_end: Callable[[], None]) -> None:
        self._read = read
        self._at_end = at_end
        self._pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=1)
        self._cancellation = Cancellation()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def __next__(self) -> bytes:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
            self._thread.start()
        piece = None if self._is_closed else self._pieces.get()
        if isinstance(piece, bytes):
            return piece
        self._is_closed = True
        if piece is not None:
            raise piece
        raise StopIteration

    def close(self) -> None:
        """Let the thread end at its next piece; may be repeated."""
        self._is_closed = True
        self._cancellation.cancel()
        if self._thread is None:
            self._thread = threading.Thread()
            self._at_end()

    def _run(self) -> None:
        try:
            with self._cancellation.applied():
                piece: bytes | BaseException | None = b""
                while piece is not None and not self._is_closed:
                    piece = self._read()
                    self._put(piece)
        except BaseException as error:
            self._put(error)
        finally:
            self._at_end()

    def _put(self, piece: bytes | BaseException | None) -> None:
        while not self._is_closed:
            try:
                self._pieces.put(piece, timeout=_LOOK_SECONDS)
                return
            except queue.Full:
                continue
