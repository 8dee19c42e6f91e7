"""Callers who send a token of a log-in to this service in ``X-Auth-Token``."""

from collections.abc import Callable
from dataclasses import dataclass
from wsgiref.types import WSGIEnvironment

from glance_mini.api.identity.application import IdentityApplication
from glance_mini.api.identity.tokens import Session, Tokens
from glance_mini.standalone.logins import Logins


@dataclass(frozen=True)
class Identity:
    """The log-in that the service itself offers: its application, and the tokens that it has issued."""

    application: IdentityApplication
    tokens: Tokens

    def session(self, environ: WSGIEnvironment) -> Session | None:
        """Return the session of the token that a request sends; None for any other caller. Raises Unavailable."""
        token = environ.get("HTTP_X_AUTH_TOKEN")
        return self.tokens.find(token) if token else None


MakeIdentity = Callable[[Logins], Identity | None]


def no_identity(logins: Logins) -> Identity | None:
    """Make none."""
    return None
