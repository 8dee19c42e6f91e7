"""Ends what waits for a web server, from another thread: the job was cancelled, or the client has gone.

Who begins a piece of work makes a ``Cancellation`` and applies it to the thread that does it; every connection that
the guarded client opens in that thread belongs to it.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from glance_mini_store.errors import FetchCancelled


class Cancellation:
    """The connections of one piece of work; all methods may be called from any thread."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._lock = threading.Lock()
        self._handles: dict[int, socket.socket] = {}

    def cancel(self) -> None:
        """End every connection, and each one that would be opened later; may be repeated. Never blocks."""
        with self._lock:
            self.is_cancelled = True
            for handle in self._handles.values():
                # A thread that waits on the connection wakes up at once. It may be closed by the server already.
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def attach(self, connection: socket.socket) -> int:
        """Let ``cancel`` end ``connection``, which need not be connected yet, and return a key for ``detach``.

        Raises FetchCancelled. The handle is a duplicate: TLS takes the descriptor away from the socket that it wraps.
        """
        with self._lock:
            if self.is_cancelled:
                raise FetchCancelled(reason="The download was cancelled.")
            handle = connection.dup()
            self._handles[handle.fileno()] = handle
            return handle.fileno()

    def detach(self, key: int) -> None:
        """Forget the connection with this key; may be repeated."""
        with self._lock:
            if (handle := self._handles.pop(key, None)) is not None:
                handle.close()

    @property
    def is_idle(self) -> bool:
        """Whether no connection is attached."""
        return not self._handles

    def check(self) -> None:
        """Return while the work goes on; raises FetchCancelled."""
        if self.is_cancelled:
            raise FetchCancelled(reason="The download was cancelled.")

    def begin(self) -> None:
        """Apply this to the calling thread until something else is applied to it."""
        _CURRENT.set(self)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Apply this to the calling thread within the block."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


def current() -> Cancellation:
    """Return what was applied to the calling thread; one that nobody cancels where nothing was."""
    return _CURRENT.get() or Cancellation()
