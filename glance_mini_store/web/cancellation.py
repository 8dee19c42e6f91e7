"""Ends web requests from another thread if a job was cancelled or a client has disconnected.

A ``Cancellation`` is created for a piece of work and applied to its thread. Every connection that the guarded client
opens in that thread belongs to it.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Self

from glance_mini_store.errors import FetchCancelled


class Cancellation:
    """The connections of one piece of work; all methods may be called from any thread."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._lock = threading.Lock()
        self._handles: dict[int, socket.socket] = {}

    def cancel(self) -> None:
        """End every connection and refuse later ones; may be repeated. Never blocks."""
        with self._lock:
            self.is_cancelled = True
            for handle in self._handles.values():
                # A thread that waits on the connection wakes up at once. The server may have closed it already.
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def attach(self, connection: socket.socket) -> int:
        """Let ``cancel`` end ``connection``, which need not be connected yet, and return a key for ``detach``.

        Raises FetchCancelled. The handle is a duplicate, because TLS detaches the descriptor of the socket it wraps.
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
        """Return while the work may continue; raises FetchCancelled."""
        if self.is_cancelled:
            raise FetchCancelled(reason="The download was cancelled.")

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Self]:
        """Yield this during a block that waits without a connection of its own, and that calls ``check``."""
        yield self

    def begin(self) -> None:
        """Apply this to the calling thread until another cancellation is applied."""
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
    """Return the cancellation of the calling thread, or a new one if none was applied."""
    return _CURRENT.get() or Cancellation()
