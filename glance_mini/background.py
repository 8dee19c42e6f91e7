"""One kind of background thread: repeats its work until it is closed, and survives whatever the work raises."""

import logging
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)

_STOP_SECONDS = 5.0


class Background:
    """Calls ``work`` in a thread of its own, again and again, with ``pause()`` seconds between two calls.

    ``work`` raises what it likes: a failure is logged with ``complaint`` and the next round comes. ``is_first_at_once``
    False: the first call comes after a pause, too.
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
        """Whether ``close`` was called; long work looks at it between its parts."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; once, and after a fork."""
        self._thread.start()

    def close(self, seconds: float = _STOP_SECONDS) -> None:
        """Stop after the round in hand, which is waited for ``seconds`` at most; may be called without ``start``."""
        self._stopping.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        if not self._is_first_at_once:
            self._stopping.wait(self._pause())
        while not self._stopping.is_set():
            try:
                self._work()
            except Exception as error:
                LOG.warning("%s: %s", self._complaint, error)
            self._stopping.wait(self._pause())
