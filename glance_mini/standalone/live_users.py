"""The current users of the users file, which is read again when it has changed."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.users import Users, read_users

LOG = logging.getLogger(__name__)

LOOK_INTERVAL = 1.0
"""Seconds between two checks of the file."""


class ReloadingUsers:
    """The users in a file; may be used by all threads.

    A change takes effect within ``LOOK_INTERVAL``. If the file becomes unreadable, that is logged and changes nothing.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises ConfigurationError."""
        self._path = path
        self._clock = clock
        self._looking = threading.Lock()
        self._seen = self._fingerprint()
        self._users = read_users(path)
        self._look_at = clock() + LOOK_INTERVAL

    def current(self) -> Users:
        """Return the current users."""
        if self._clock() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._look_at = self._clock() + LOOK_INTERVAL
                self._read_if_changed()
            finally:
                self._looking.release()
        return self._users

    def _read_if_changed(self) -> None:
        seen = self._fingerprint()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._users = read_users(self._path)
        except ConfigurationError as error:
            LOG.error("The users stay unchanged: %s", error)

    def _fingerprint(self) -> tuple[int, int, int] | None:
        try:
            state = os.stat(self._path)
        except OSError:
            return None
        return state.st_ino, state.st_mtime_ns, state.st_size


def watch_users(conf: cfg.ConfigOpts) -> ReloadingUsers:
    """Return the users of ``[authentication] users_file``; raises ConfigurationError."""
    if not conf.authentication.users_file:
        raise ConfigurationError(
            reason=f"[paste_deploy] flavor '{conf.paste_deploy.flavor}' needs [authentication] users_file."
        )
    return ReloadingUsers(Path(conf.authentication.users_file))
