"""Links: addresses with a secret, by which anybody who has one downloads one image as the caller who made it.

Only the hash of the secret is stored, so a link cannot be shown again after it was made. A link for an upload has an
address of a store instead, which is signed and not stored either.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from glance_mini.domain.acting import ActsForCaller, context_for, of_caller
from glance_mini.domain.context import Context
from glance_mini.domain.fields import with_fields
from glance_mini.domain.transfer import Transfer

_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

Maker = tuple[str | None, str | None]
"""User and project of a caller who makes links."""


@dataclass(frozen=True, slots=True)
class Link(ActsForCaller):
    """A link to the data of one image until ``expires_at``; times in UTC without a zone, None until the row exists.

    A link for an upload has the announced ``size`` in bytes and the ``store`` that the data is sent to; others have
    None. Its id is that of the transfer, see ``transfer_of``.
    """

    id: str
    image_id: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    size: int | None = None
    store: str | None = None

    @property
    def maker(self) -> Maker:
        """User and project of the caller who made it."""
        return self.user_id, self.project_id


def new_link(context: Context, image_id: str) -> Link:
    """Return a link of the caller, which does not exist yet."""
    return with_fields(Link(id=str(uuid4()), image_id=image_id), **of_caller(context))


def transfer_of(link: Link, project_id: str | None) -> Transfer:
    """Return the transfer of a link for an upload to an image of the project ``project_id``.

    No process holds it. Its name is that of the data that is sent, and cannot be guessed.
    """
    return Transfer(
        id=link.id,
        image_id=link.image_id,
        project_id=project_id,
        process=f"link-{link.id}",
        store=link.store or "",
        name=f"{link.image_id}-{link.id}",
        reserved=link.size or 0,
    )


def context_of_link(link: Link) -> Context:
    """Return the context of the caller who made ``link``; whether it is an administrator is for the rules to say."""
    return context_for(link)


def make_token() -> str:
    """Return a new secret for a link: 32 random bytes in URL-safe base64."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(token: str) -> str | None:
    """Return the hash under which the link of ``token`` is stored; None for a text that is no such secret.

    One round of SHA-256 is enough, because 2**256 secrets cannot be tried.
    """
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else None
