"""The current users of the users file, which is read again when it has changed."""

import logging
import os
import threading
from pathlib import Path

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.users import Users, read_users

LOG = logging.getLogger(__name__)


class ReloadingUsers:
    """The users in a file; may be used by all threads.

    A change takes effect at once: each look asks for the state of the file, which takes some microseconds. If the file
    becomes unreadable, that is logged and changes nothing.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises ConfigurationError."""
        self._path, self._name = path, str(path)
        self._reading = threading.Lock()
        self._seen = self._fingerprint()
        self._users = read_users(path)

    def current(self) -> Users:
        """Return the current users."""
        if self._fingerprint() != self._seen:
            with self._reading:
                self._read_if_changed()
        return self._users

    def _read_if_changed(self) -> None:
        seen = self._fingerprint()
        if seen == self._seen:
            return
        try:
            self._users = read_users(self._path)
        except ConfigurationError as error:
            LOG.error("The users stay unchanged: %s", error)
        # After the users: whoever sees this state of the file also sees its users.
        self._seen = seen

    def _fingerprint(self) -> tuple[int, int, int] | None:
        try:
            state = os.stat(self._name)
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
