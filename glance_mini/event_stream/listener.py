"""One client that follows the events: its connection, its caller, and what waits to be sent."""

import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from glance_mini.domain.context import Context
from glance_mini.event_stream.selection import Told
from glance_mini.operations.event_log import Watcher

STALLED = 30.0
"""Seconds for which a client may take nothing while something waits for it."""

_SEND_BUFFER = 32 * 1024
_WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_PIECE = 4096
_AT_ONCE = 64
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Caller = tuple[str | None, str | None]
"""User and project."""


class Listener:
    """A caller with what it may follow, and the last event that it knows (None: it wants only what comes now).

    ``who`` is the caller for the limits, ``room`` how many bytes may still wait for the client; the texts that wait are
    shared with other listeners. ``environ`` is the request that the client sent; with it the credentials are checked
    again. No method blocks.
    """

    __slots__ = (
        *("_pending", "_sent", "_sock", "_stalled_since", "room"),
        *("caller", "check_at", "environ", "is_refused", "last_id", "told", "who"),
    )

    def __init__(
        self, caller: tuple[Context, Watcher], environ: Mapping[str, str], last_id: int | None, limit: int
    ) -> None:
        """``limit`` is how many bytes may wait for the client."""
        self.caller = caller
        self.environ = environ
        self.last_id = last_id
        self.check_at = 0.0
        self.is_refused = False
        self.told = Told()
        context, _ = caller
        self.who: Caller = (context.user_id, context.project_id)
        self.room = limit
        self._pending: deque[bytes] = deque()
        self._sent = 0
        self._stalled_since: float | None = None
        self._sock: socket.socket | None = None

    def connect(self, sock: socket.socket) -> None:
        """Take the connection, whose request was read."""
        sock.settimeout(0)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED * 1000))
        self._sock = sock

    def fileno(self) -> int:
        """Return the descriptor of the connection; -1 after its end."""
        return -1 if self._sock is None else self._sock.fileno()

    @property
    def has_pending(self) -> bool:
        """Whether something waits for the client."""
        return bool(self._pending)

    def send(self, texts: Sequence[bytes], now: float) -> bool:
        """Send ``texts`` behind what waits; return False if the client is gone, or does not read."""
        self._pending.extend(texts)
        self.room -= sum(map(len, texts))
        return self.flush(now) and self.room >= 0

    def flush(self, now: float) -> bool:
        """Send what waits, as far as the client takes it; return False if the client is gone."""
        assert self._sock is not None
        try:
            while self._pending:
                first = self._pending[0] if len(self._pending) == 1 else b"".join(islice(self._pending, _AT_ONCE))
                self._note_sent(self._sock.send(memoryview(first)[self._sent :]))
                self._stalled_since = None
        except _WAITS:
            self._stalled_since = now if self._stalled_since is None else self._stalled_since
        except OSError:
            return False
        return True

    def _note_sent(self, count: int) -> None:
        self.room += count
        self._sent += count
        while self._pending and self._sent >= len(self._pending[0]):
            self._sent -= len(self._pending.popleft())

    def drain(self) -> bool:
        """Drop what the client has sent, and return False if it has closed its side."""
        assert self._sock is not None
        try:
            return bool(self._sock.recv(_PIECE))
        except _WAITS:
            return True
        except OSError:
            return False

    def refuse(self) -> None:
        """Answer that there is no stream now, and end the connection."""
        self.send([_REFUSAL], 0.0)
        self.close()

    def is_stalled(self, now: float) -> bool:
        """Return whether the client has taken nothing for too long."""
        return self._stalled_since is not None and now - self._stalled_since > STALLED

    def close(self) -> None:
        """End the connection."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
