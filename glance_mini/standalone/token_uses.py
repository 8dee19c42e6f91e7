"""Records when tokens were last used, in a file of its own.

The users file is written by operators only, so a request can never undo a change of theirs and need not be able to
write it. Each process keeps the times in memory and writes them once a minute, in its own thread.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from oslo_config import cfg

from glance_mini.background import Background
from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.files import locked, moment_from, text_of_moment, write_private
from glance_mini.standalone.users import read_users

INTERVAL = 60.0
"""Seconds between two writes of one process; a process that nobody uses writes nothing."""

_COMPLAINT = "The last use of tokens cannot be recorded"


class TokenUses:
    """The last use of each token, seen by one process; may be used by all threads."""

    def __init__(self, users_file: Path, uses_file: Path, interval: float = INTERVAL) -> None:
        """Write to ``uses_file`` every ``interval`` seconds."""
        self._users_file = users_file
        self._uses_file = uses_file
        self._seen: dict[str, datetime] = {}
        self._written: Mapping[str, datetime] = {}
        self._background = Background("token-uses", self.write, lambda: interval, _COMPLAINT)

    def start(self) -> None:
        """Start to write; call it after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop, and write what is new."""
        self._background.close()
        self._background.attempt()

    def note(self, digest: str) -> None:
        """Note that the token with that hash is used now; it costs about a microsecond."""
        self._seen[digest] = utcnow()

    def write(self) -> None:
        """Write what is new, for tokens that exist; a later use by another process stays.

        Raises ConfigurationError, OSError.
        """
        seen = dict(self._seen)
        if seen == self._written:
            return
        with locked(self._uses_file.parent):
            uses = read_uses(self._uses_file)
            known = {digest for user in read_users(self._users_file).by_name.values() for digest in user.tokens}
            latest = {digest: max(seen.get(digest, when), when) for digest, when in {**seen, **uses}.items()}
            text = {digest: text_of_moment(when) for digest, when in latest.items() if digest in known}
            write_private(self._uses_file, json.dumps(text, indent=2) + "\n")
        self._written = seen


def uses_file(conf: cfg.ConfigOpts) -> Path:
    """Return the path of ``[authentication] token_uses_file``, by default beside the users file."""
    options = conf.authentication
    return Path(options.token_uses_file or f"{options.users_file}.used")


def read_uses(path: Path) -> dict[str, datetime]:
    """Return the last use (UTC, whole seconds) of tokens by hash; unused ones are missing, and so may be the file.

    Raises ConfigurationError.
    """
    try:
        content = json.loads(path.read_bytes())
        return {digest: when for digest, text in content.items() if (when := moment_from(text))}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(reason=f"{path} cannot be read: {error}; it may be removed.") from error
