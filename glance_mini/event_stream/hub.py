"""The listeners of one process, and the thread that reads the log of events and writes to all of them.

The thread waits for no client: what a client does not take at once is kept up to a limit, and a client beyond it, or
one that takes nothing for too long, is dropped. It may come back and go on where it was.
"""

import logging
import os
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Self
from wsgiref.types import WSGIApplication

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.event_log import LoggedEvent
from glance_mini.event_stream.credentials import CredentialCheck
from glance_mini.event_stream.listener import Caller, Listener
from glance_mini.event_stream.messages import HEARTBEAT, Messages, greeting
from glance_mini.event_stream.selection import Selection
from glance_mini.event_stream.settings import StreamSettings
from glance_mini.event_stream.tail import LogTail
from glance_mini.metrics import Metrics

LOG = logging.getLogger(__name__)

_STALE = 50.0
"""Seconds without a look at the log after which events may have been removed that were not read."""

_LONGEST_PAUSE = 10.0
_AT_ONCE = 50
_ENDED = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP

MaySee = Callable[[Context, str], bool]


class EventHub:
    """Takes connections and sends them events. Its threads start with the first listener."""

    def __init__(self, data: DataAccess, settings: StreamSettings, metrics: Metrics, may_see: MaySee) -> None:
        """``may_see`` returns whether a call of that caller may show an image; it is asked if the rules are changed."""
        self.settings = settings
        self._metrics = metrics
        self._may_see = may_see
        self._tail = LogTail(data.run)
        self._check = CredentialCheck(lambda: self._all(), settings.check_interval)
        self._lock = threading.Lock()
        self._arrived: deque[tuple[Listener, bytes]] = deque()
        self._listeners: dict[int, Listener] = {}
        self._by_caller: Counter[Caller] = Counter()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._wakeup = -1
        self._epoll: select.epoll
        self._looked_at = 0.0
        self._look_at = 0.0
        self._beat_at = 0.0
        self._sweep_at = 0.0
        self._failures = 0

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, data: DataAccess, metrics: Metrics, may_see: MaySee) -> Self:
        """Return the hub that [events] configures."""
        return cls(data, StreamSettings.from_config(conf), metrics, may_see)

    def check_by(self, app: WSGIApplication) -> None:
        """Check the credentials of listeners by requests to ``app``, the whole application."""
        self._check.check_by(app)

    def start(self) -> None:
        """Do nothing: the threads start with the first listener."""

    def full_at(self, who: Caller) -> int | None:
        """Return the limit that a further listener of this caller would pass; None if there is room."""
        with self._lock:
            return self._full_at(who)

    def take(self, listener: Listener, sock: socket.socket, head: bytes) -> None:
        """Send ``head`` and then events to the client of ``sock``; it is closed if there is no room any more."""
        listener.connect(sock)
        with self._lock:
            is_taken = not self._is_closed and self._full_at(listener.who) is None
            if is_taken:
                self._by_caller[listener.who] += 1
                self._arrived.append((listener, head))
                if self._thread is None:
                    self._begin()
        if not is_taken:
            listener.refuse()
            return
        self._check.begin(listener)
        os.eventfd_write(self._wakeup, 1)

    def close(self) -> None:
        """End all streams and stop."""
        self._check.close()
        with self._lock:
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            os.eventfd_write(self._wakeup, 1)
            thread.join(5.0)

    def _full_at(self, who: Caller) -> int | None:
        everyone = self.settings.max_listeners
        share = everyone // 2 if who[0] is None else self.settings.max_listeners_per_caller
        if self._by_caller.total() >= everyone:
            return everyone
        return share if self._by_caller[who] >= share else None

    def _begin(self) -> None:
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wakeup, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="event-streams", daemon=True)
        self._thread.start()

    def _all(self) -> list[Listener]:
        with self._lock:
            return [*self._listeners.values(), *(listener for listener, _ in self._arrived)]

    def _run(self) -> None:
        while not self._is_closed:
            try:
                self._turn()
            except Exception:
                LOG.exception("The streams of events have failed and end.")
                self._drop(self._all())
        self._drop(self._all())

    def _turn(self) -> None:
        """Wait for clients or for the next look at the log, and do what is due."""
        self._serve(self._epoll.poll(self._pause()))
        now = time.monotonic()
        arrived = len(self._arrived)
        if (self._listeners and now >= self._look_at) or (arrived and not self._failures):
            self._look(now)
        self._welcome(arrived)
        if now >= self._beat_at:
            self._beat_at = now + self.settings.heartbeat
            self._send_all(HEARTBEAT, now)
        if now >= self._sweep_at:
            self._sweep_at = now + 1.0
            self._sweep(now)

    def _pause(self) -> float | None:
        if not self._listeners and not self._arrived:
            return None
        return max(0.0, min(self._look_at, self._beat_at, self._sweep_at) - time.monotonic())

    def _serve(self, ready: Iterable[tuple[int, int]]) -> None:
        gone, now = [], time.monotonic()
        for descriptor, mask in ready:
            if descriptor == self._wakeup:
                os.eventfd_read(self._wakeup)
                continue
            listener = self._listeners[descriptor]
            if mask & _ENDED or (mask & select.EPOLLIN and not listener.drain()) or not listener.flush(now):
                gone.append(listener)
            else:
                self._watch(listener)
        self._drop(gone)

    def _look(self, now: float) -> None:
        """Read what is new in the log and send it."""
        self._look_at = now + self.settings.interval
        try:
            if now - self._looked_at > _STALE:
                self._tail.restart()
                self._send_all(greeting(self._tail.position, reset=True), now)
            self._forward(now)
        except Exception as error:
            self._failures += 1
            self._look_at = now + min(_LONGEST_PAUSE, self.settings.interval * 2**self._failures)
            if self._failures == 1:
                LOG.warning("The log of events cannot be read: %s", error)
            return
        self._failures = 0
        self._looked_at = now

    def _forward(self, now: float) -> None:
        """Send what is new in the log, some events at once, so that few calls of the system are needed."""
        batch: list[Selection] = []
        try:
            for event in self._tail.read():
                batch.append(self._selection(event, self._tail.position))
                if len(batch) == _AT_ONCE:
                    full, batch = batch, []
                    self._publish(full, now)
                    # Clients that read make room meanwhile.
                    self._serve(self._epoll.poll(0))
        finally:
            self._publish(batch, now)

    def _publish(self, batch: Sequence[Selection], now: float) -> None:
        """Send events to all listeners that may see them; after an error all will be told to begin anew."""
        try:
            self._each(lambda listener: self._offer(listener, batch, now))
        except Exception:
            self._looked_at = -_STALE
            raise

    def _selection(self, event: LoggedEvent, position: int) -> Selection:
        return Selection(Messages(event, position), self._may_see)

    @staticmethod
    def _offer(listener: Listener, batch: Sequence[Selection], now: float) -> bool:
        texts = [text for selection in batch if (text := selection.choose(*listener.caller, listener.told)) is not None]
        return not texts or listener.send(texts, now)

    def _send_all(self, text: bytes, now: float) -> None:
        self._each(lambda listener: listener.send([text], now))

    def _each(self, act: Callable[[Listener], bool]) -> None:
        """Call ``act`` for each listener, and drop those for which it returns False."""
        gone = []
        for listener in self._listeners.values():
            had_pending = listener.has_pending
            if not act(listener):
                gone.append(listener)
            elif listener.has_pending != had_pending:
                self._watch(listener)
        self._drop(gone)

    def _welcome(self, arrived: int) -> None:
        """Take so many listeners, which arrived before the last look, and send them what they have missed."""
        now = time.monotonic()
        for _ in range(arrived):
            listener, head = self._arrived[0]
            if self._failures:
                listener.refuse()
                self._drop([listener])
                continue
            with self._lock:
                self._arrived.popleft()
                self._listeners[listener.fileno()] = listener
            self._epoll.register(listener.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
            self._metrics.listeners.inc()
            if not self._greet(listener, head, now):
                self._drop([listener])
            elif listener.has_pending:
                self._watch(listener)

    def _greet(self, listener: Listener, head: bytes, now: float) -> bool:
        position = listener.last_id
        missed = [] if position is None else self._tail.since(position)
        if position is None or missed is None:
            return listener.send([head + greeting(self._tail.position, reset=missed is None)], now)
        # A client that is cut off among them comes back for all of them.
        selections = (self._selection(event, position) for event in missed)
        texts = [selection.choose(*listener.caller, listener.told) for selection in selections]
        whole = b"".join([head, *filter(None, texts), greeting(self._tail.position, reset=False)])
        if len(whole) > listener.room:
            whole = head + greeting(self._tail.position, reset=True)
        return listener.send([whole], now)

    def _sweep(self, now: float) -> None:
        """Drop listeners that do not read, and those whose credentials are not valid any more."""
        self._drop(
            [
                listener
                for listener in self._listeners.values()
                if listener.is_refused or listener.is_stalled(now) or self._check.is_overdue(listener, now)
            ]
        )

    def _watch(self, listener: Listener) -> None:
        writable = select.EPOLLOUT if listener.has_pending else 0
        self._epoll.modify(listener.fileno(), select.EPOLLIN | select.EPOLLRDHUP | writable)

    def _drop(self, gone: Iterable[Listener]) -> None:
        for listener in gone:
            with self._lock:
                if self._listeners.pop(listener.fileno(), None) is not None:
                    self._epoll.unregister(listener.fileno())
                    self._metrics.listeners.dec()
                self._by_caller.subtract([listener.who])
                self._by_caller += Counter()
                self._arrived = deque(each for each in self._arrived if each[0] is not listener)
            listener.close()
