"""Checks again and again whether the callers who follow events may still do so, in a thread of its own.

The request of a listener is sent through the whole application once more, so that each kind of authentication decides
as it does for any request. A server of identity that does not answer delays no event.
"""

import io
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from wsgiref.types import WSGIApplication

from glance_mini.event_stream.listener import Listener

LOG = logging.getLogger(__name__)

CHECKED = "glance_mini.checked_listener"
"""The key in the environment for the listener that a request checks, in place of a new stream."""

_LOOK = 1.0


class CredentialCheck:
    """Checks each of ``listeners()`` at its ``check_at``; one that is refused has ``is_refused`` set."""

    def __init__(self, listeners: Callable[[], Iterable[Listener]], interval: float) -> None:
        self._listeners = listeners
        self._interval = interval
        self._app: WSGIApplication | None = None
        self._has_work = threading.Event()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def check_by(self, app: WSGIApplication) -> None:
        """Send the requests to ``app``, the whole application."""
        self._app = app

    def begin(self, listener: Listener) -> None:
        """Check a new listener from now on."""
        listener.check_at = time.monotonic() + self._interval
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="listener-check", daemon=True)
            self._thread.start()
        self._has_work.set()

    def is_overdue(self, listener: Listener, now: float) -> bool:
        """Return whether the check of a listener did not come in time; it is refused then."""
        return now > listener.check_at + self._interval

    def close(self) -> None:
        """Stop; a check that runs is not waited for."""
        self._is_closed = True
        self._has_work.set()

    def check(self, listener: Listener) -> None:
        """Check a listener now."""
        assert self._app is not None
        answers: list[str] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
            answers.append(status)
            return lambda data: None

        environ: dict[str, object] = {**listener.environ, **_server_part(), CHECKED: listener}
        try:
            result = self._app(environ, start_response)
            if close := getattr(result, "close", None):
                close()
        except Exception as error:
            LOG.warning("The credentials of a client that follows events cannot be checked: %s", error)
        if answers and answers[-1].startswith("204"):
            listener.check_at = time.monotonic() + self._interval
        else:
            listener.is_refused = True

    def _run(self) -> None:
        while self._has_work.wait() and not self._is_closed:
            listeners = list(self._listeners())
            if not listeners:
                self._has_work.clear()
            for listener in listeners:
                if not self._is_closed and not listener.is_refused and listener.check_at <= time.monotonic():
                    self.check(listener)
            time.sleep(_LOOK)


def kept_environ(environ: Mapping[str, object]) -> dict[str, str]:
    """Return the part of a request's environment that a check needs: its texts, and no object of the server."""
    return {name: value for name, value in environ.items() if isinstance(value, str)}


def _server_part() -> dict[str, object]:
    return {
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
