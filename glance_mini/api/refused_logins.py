"""The log lines of refused log-ins."""

import logging
from wsgiref.types import WSGIEnvironment

LOG = logging.getLogger(__name__)

_LONGEST_NAME = 255


def log_refused_login(environ: WSGIEnvironment, name: str | None, refusal: Exception) -> None:
    """Log that a caller was refused who claims to be the user ``name``; None: the credentials name no user."""
    address = environ.get("REMOTE_ADDR") or "a local socket"
    user = f" as user {name[:_LONGEST_NAME]!r}" if name else ""
    LOG.warning("A login%s from %s was refused: %s", user, address, refusal)
