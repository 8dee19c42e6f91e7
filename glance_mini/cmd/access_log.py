"""The access log: one line for each answered request, in a file of bounded size.

A line has neither headers nor the query string, so it holds no token and no password; the secret of a link is left out
of its path.
"""

import fcntl
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

import orjson
from oslo_config import cfg

from glance_mini.api.request import CONTEXT_KEY, OPERATION_KEY
from glance_mini.domain.context import Context

LOG = logging.getLogger(__name__)

LogRequest = Callable[[WSGIEnvironment, int, int, int, float], None]

_LONGEST_WORD = 255
_SECRET = re.compile(r"(?<=/links/)(?![0-9a-f]{8}-[0-9a-f-]{27}(?:/|$)).+", re.DOTALL)
"""What follows ``/links/`` in a path, unless it is the id of a link."""
_NOBODY = Context()


class AccessLog:
    """Writes to the file ``path``, together with other processes; all threads may use it.

    When the file has ``max_bytes``, it gets the suffix ``.1`` and replaces the one before it; 0 lets it grow. The
    fields of a line are separated by spaces, or a line is a JSON object if ``is_json``. Raises OSError if the file
    cannot be opened.
    """

    def __init__(self, path: str, max_bytes: int = 0, *, is_json: bool = False) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._is_json = is_json
        self._is_failing = False
        self._rotating = threading.Lock()
        self._descriptor = _open(path)

    def write(self, environ: WSGIEnvironment, status: int, received: int, sent: int, seconds: float) -> None:
        """Add the line of a request; ``received`` and ``sent`` are the bytes of the bodies. Raises nothing."""
        caller: Context = environ.get(CONTEXT_KEY, _NOBODY)
        fields: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": _word(environ.get("REMOTE_ADDR")),
            "user": _word(caller.user_id),
            "project": _word(caller.project_id),
            "method": _word(environ["REQUEST_METHOD"]),
            "path": _word(
                quote(_SECRET.sub("-", environ["PATH_INFO"]), safe="/:@,=", encoding="latin-1", errors="replace")
            ),
            "operation": environ.get(OPERATION_KEY),
            "status": status,
            "received": received,
            "sent": sent,
            "milliseconds": round(seconds * 1000, 1),
            "request_id": caller.request_id or None,
        }
        try:
            os.write(
                self._descriptor,
                orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE) if self._is_json else _text(fields),
            )
            state = os.fstat(self._descriptor)
            if state.st_size >= self._max_bytes > 0 or not state.st_nlink:
                self._rotate()
        except OSError as error:
            if not self._is_failing:
                LOG.error("The access log %s cannot be written: %s", self._path, error.strerror)
            self._is_failing = True
        else:
            self._is_failing = False

    def _rotate(self) -> None:
        """Continue in a new file, which another process may have begun."""
        with self._rotating:
            current = _open(self._path)
            try:
                fcntl.flock(current, fcntl.LOCK_EX)
                with suppress(FileNotFoundError):
                    state = os.fstat(current)
                    if state.st_size >= self._max_bytes > 0 and os.path.samestat(state, os.stat(self._path)):
                        os.replace(self._path, f"{self._path}.1")
            finally:
                os.close(current)
            current = _open(self._path)
            os.dup2(current, self._descriptor, inheritable=False)
            os.close(current)


def open_access_log(conf: cfg.ConfigOpts) -> LogRequest | None:
    """Return the function that writes to the access log of ``[server]``, None without one. Raises OSError."""
    options = conf.server
    if not options.access_log:
        return None
    return AccessLog(options.access_log, options.access_log_size, is_json=options.access_log_format == "json").write


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _text(fields: Mapping[str, object]) -> bytes:
    return (" ".join(["-" if value is None else str(value) for value in fields.values()]) + "\n").encode()


def _word(text: str | None) -> str | None:
    """Return ``text`` as one printable word of bounded length; None for an empty one."""
    if not text:
        return None
    text = text[:_LONGEST_WORD]
    return text if text.isprintable() and " " not in text else quote(text, errors="replace")[:_LONGEST_WORD]
