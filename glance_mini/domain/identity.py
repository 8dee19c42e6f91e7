"""Tokens that the service issues at a log-in, without Keystone (operator/identity).

Only the hash of a token is stored, so it cannot be shown again after it was issued. What a token allows is not stored
either: the roles of its user are looked up at each request.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

_PREFIX = "gmi-"
_TOKEN_BYTES = 32
_TOKEN = re.compile(_PREFIX + r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """One token; times in UTC without a zone, None until the row exists.

    It belongs to a user in a project, or in a domain, or in neither: then ``project`` and ``domain`` are None.
    ``credential`` is the hash of the secret that the user logged in with: the token ends with that secret.
    """

    id: str
    user: str
    credential: str
    methods: tuple[str, ...]
    project: str | None = None
    domain: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None


def new_token_id() -> str:
    """Return an id for a token, which is no secret."""
    return str(uuid4())


def make_token() -> str:
    """Return a new token: 32 random bytes in URL-safe base64, with a prefix by which people and scanners know it."""
    return _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(token: str) -> str | None:
    """Return the hash under which ``token`` is stored; None for a text that the service cannot have issued.

    One round of SHA-256 is enough, because 2**256 tokens cannot be tried.
    """
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else None
