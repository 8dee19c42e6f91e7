"""A background thread that repeats its work until it is closed. An error of the work does not end it."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

LOG = logging.getLogger(__name__)

_STOP_SECONDS = 5.0


class Part(Protocol):
    """A part of the process with a thread of its own."""

    def start(self) -> None:
        """Start the thread; called once, and after a fork."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class Background:
    """Calls ``work`` repeatedly in its own thread, with a pause of ``pause()`` seconds between two calls.

    ``work`` may raise any error: it is logged with ``complaint``, and the next call follows. If ``is_first_at_once``
    is False, the first call also comes after a pause.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        pause: Callable[[], float],
        complaint: str,
        is_first_at_once: bool = True,
    ) -> None:
        self._work = work
        self._pause = pause
        self._complaint = complaint
        self._is_first_at_once = is_first_at_once
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether ``close`` was called; long work checks it between its parts."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the thread. Call it once, and after a fork."""
        self._thread.start()

    def close(self, seconds: float = _STOP_SECONDS) -> None:
        """Stop after the current call and wait at most ``seconds`` for it; may be called without ``start``."""
        self._stopping.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def attempt(self) -> None:
        """Call the work once, in this thread."""
        try:
            self._work()
        except Exception as error:
            LOG.warning("%s: %s", self._complaint, error)

    def _run(self) -> None:
        if not self._is_first_at_once:
            self._stopping.wait(self._pause())
        while not self._stopping.is_set():
            self.attempt()
            self._stopping.wait(self._pause())
