"""Client sockets on which every call has a time limit.

gunicorn makes a client's socket blocking while a thread works on it; here "blocking" means "within the time-out and
the minimum rate of `Limits`", in both directions, with and without TLS. This module does not interpret the bytes.

A socket may also keep what it has to send. A whole answer is kept, so that its thread need not wait for the client,
and whoever has time sends it with `send_kept`.
"""

import errno
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVarTuple

from glance_mini.cmd.serve.settings import Limits
from glance_mini_store.holes import Holes
from glance_mini_store.streams import FilePart

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Sent = TypeVarTuple("Sent")

_SENDFILE_BLOCK = 1 << 30
_ZEROS = memoryview(bytes(1 << 20))
_SMALL = 64 * 1024
_KEPT_BLOCK = 256 * 1024
_SENDFILE_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


Successor = Callable[[socket.socket], None]
"""What goes on with a connection in place of the server. It does not block."""


class MinimumRate:
    """The rate of one direction of a connection, counting only the time spent waiting for the client."""

    def __init__(self, limits: Limits) -> None:
        self._rate = limits.minimum_rate
        self._window = limits.rate_window
        self._seconds = 0.0
        self._count = 0

    def note(self, count: int, seconds: float) -> None:
        """Add `count` bytes, which took `seconds` of waiting.

        Raises TimeoutError if the window that ends with them was too slow.
        """
        self._seconds += seconds
        self._count += count
        if self._seconds < self._window:
            return
        if self._count < self._rate * self._seconds:
            raise TimeoutError(
                f"{self._count} bytes in {self._seconds:.0f} seconds; the minimum is {self._rate} a second"
            )
        self._seconds, self._count = 0.0, 0


class _Bounded(socket.socket):
    """What both kinds of client socket have in common. `admit` must be called before use."""

    _io_timeout: float
    _receiving: MinimumRate
    _sending: MinimumRate
    _is_keeping: bool
    _kept: deque[memoryview]
    kept_bytes: int
    file_bytes: int
    successor: "Successor | None"

    def admit(self, limits: Limits) -> None:
        """Set the limits of the client and start to count from zero."""
        self._io_timeout = limits.io_timeout
        self._receiving = MinimumRate(limits)
        self._sending = MinimumRate(limits)
        self._is_keeping = False
        self._kept = deque()
        self.kept_bytes = 0
        self.file_bytes = 0
        self.successor = None

    def keep(self) -> None:
        """Keep from now on what `sendall` is given, instead of sending it; `file_bytes` counts from zero."""
        self._is_keeping = True
        self.file_bytes = 0

    def stop_keeping(self) -> None:
        """Send from now on what `sendall` is given, after what is kept. Raises as `sendall` does."""
        self._is_keeping = False
        while self._kept:
            self.sendall(self._kept.popleft())
        self.kept_bytes = 0

    def hand_over(self) -> None:
        """Drop what is kept, and give the connection to its successor, who sends the answer and closes it."""
        assert self.successor is not None
        self._is_keeping = False
        self._kept.clear()
        self.kept_bytes = 0
        self.successor(self)

    def send_kept(self) -> bool:
        """Send what is kept, as far as the non-blocking socket takes it; return whether nothing is left.

        Raises OSError if the connection is broken, and with TLS the errors that name what to wait for.
        """
        while self._kept:
            try:
                count = self.send(self._kept[0][:_KEPT_BLOCK])
            except BlockingIOError:
                return False
            self.kept_bytes -= count
            self._kept[0] = self._kept[0][count:]
            if not self._kept[0]:
                self._kept.popleft()
        return True

    def setblocking(self, flag: bool) -> None:
        """Make calls return at once, or with `flag` raise TimeoutError after the time-out."""
        self.settimeout(self._io_timeout if flag else 0.0)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Return up to `buflen` bytes, b"" at the end. Raises TimeoutError, also for a rate that is too low."""
        started = time.monotonic()
        data = super().recv(buflen, flags)
        self._receiving.note(len(data), time.monotonic() - started)
        return data

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        """Fill the beginning of `buffer` and return the count, 0 at the end. Raises as `recv` does."""
        started = time.monotonic()
        count = super().recv_into(buffer, nbytes or 0, flags)
        self._receiving.note(count, time.monotonic() - started)
        return count

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Send all of `data`, or keep it.

        The time-out applies to each step; in socket.sendall it applies to the whole.
        """
        rest = memoryview(data).cast("B")
        if self._is_keeping:
            self._keep(rest)
            return
        while rest:
            rest = rest[self._step(len(rest), self.send, rest, flags) :]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send `count` bytes (None: the rest) of `file` from `offset` without reading them, return the count.

        The position in the file is then where sending stopped, also after an error. Raises OSError if the file ends
        earlier, because the head of the response has announced `count` bytes. A file with `parts` has those sent.
        """
        if (parts := getattr(file, "parts", None)) is not None:
            return self._send_parts(parts)
        source = file.fileno()
        left = total = os.fstat(source).st_size - offset if count is None else count
        holes = Holes(source)
        try:
            while left:
                size = min(left, len(_ZEROS))
                if holes.cover(offset, size):
                    # The kernel would fill its cache with pages of zeros.
                    sent = self._step(size, self.send, _ZEROS[:size], 0)
                else:
                    sent = self._step(left, self._sendfile_some, source, offset, left)
                if not sent:
                    raise OSError(f"the file ended {left} bytes before the end of the response")
                offset += sent
                left -= sent
        except OSError as error:
            if left == total and error.errno in _SENDFILE_UNSUPPORTED:
                return super().sendfile(file, offset, count)
            raise
        finally:
            holes.close()
            self.file_bytes = total - left
            if left < total:
                file.seek(offset)
        return total

    def _send_parts(self, parts: Iterable["ReadableBuffer | FilePart"]) -> int:
        """Send bytes and parts of files, and return their number."""
        total = 0
        try:
            for part in parts:
                if isinstance(part, FilePart):
                    total += self._send_part(part)
                else:
                    self.sendall(part)
                    total += memoryview(part).nbytes
        finally:
            self.file_bytes = total
        return total

    def _send_part(self, part: FilePart) -> int:
        """Send a part of a file; to look for holes in a short one would cost more than it saves."""
        if part.length > len(_ZEROS):
            return self.sendfile(part.file, part.offset, part.length)
        source, offset, left = part.file.fileno(), part.offset, part.length
        while left:
            sent = self._step(left, self._sendfile_some, source, offset, left)
            if not sent:
                raise OSError(f"a file ended {left} bytes before the end of what was to be sent of it")
            offset += sent
            left -= sent
        return part.length

    def _keep(self, data: memoryview) -> None:
        if not data:
            return
        self.kept_bytes += len(data)
        if self._kept and len(data) + len(self._kept[-1]) <= _SMALL:
            # Head and body of a small answer leave together.
            data = memoryview(bytes(self._kept.pop()) + data)
        self._kept.append(data)

    def _step(self, size: int, send: Callable[[*Sent], int], *arguments: *Sent) -> int:
        """Return what `send` returns for up to `size` bytes; waits as long as the client takes any bytes.

        A socket becomes writable again only when a good part of its buffer, often more than a MiB, is free. A slow
        reader may need longer than the time-out for that, so silence means that the buffer did not shrink.
        """
        queued = self._queued() if size > _SMALL else 0
        while True:
            started = time.monotonic()
            try:
                count = send(*arguments)
            except TimeoutError:
                now_queued = self._queued()
                if now_queued >= queued:
                    raise
                self._sending.note(queued - now_queued, time.monotonic() - started)
                queued = now_queued
            else:
                self._sending.note(count, time.monotonic() - started)
                return count

    def _sendfile_some(self, source: int, offset: int, count: int) -> int:
        while True:
            try:
                return os.sendfile(self.fileno(), source, offset, min(count, _SENDFILE_BLOCK))
            except BlockingIOError:
                self._wait_until_writable()

    def _wait_until_writable(self) -> None:
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        if not poll.poll(self._io_timeout * 1000):
            raise TimeoutError("timed out")

    def _queued(self) -> int:
        """Return how many bytes the other side has not acknowledged yet."""
        (count,) = struct.unpack("i", fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
        return int(count)


class ClientSocket(_Bounded):
    """An accepted connection without TLS."""


class TLSClientSocket(_Bounded, ssl.SSLSocket):
    """An accepted connection with TLS; the `sslsocket_class` of the `SSLContext` that makes it."""

    _peer: dict[str, Any] | None = None

    def peer(self) -> dict[str, Any]:
        """Return the verified certificate of the client as `getpeercert` does, read once; {} if it showed none."""
        if self._peer is None:
            self._peer = self.getpeercert() or {}
        return self._peer
