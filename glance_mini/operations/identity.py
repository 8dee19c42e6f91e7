"""Data calls on the tokens that the service issues at a log-in."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from glance_mini.domain.identity import IssuedToken
from glance_mini.operations.base import API, WORKER, DataCall, DataQuery, Operation, Role


@dataclass(frozen=True)
class IssueToken(DataCall[IssuedToken]):
    """Store ``token``, which is valid for ``lifetime``, and return it with its times.

    ``digest`` is its hash. It ends at ``not_after`` (UTC) if that is earlier; None: no such end. ``limit`` (>= 1) is
    the maximum number of tokens of its user, the new one included: the oldest ones beyond it end.
    """

    name: ClassVar[str] = "issue_token"
    callers: ClassVar[frozenset[Role]] = API
    token: IssuedToken
    digest: str = field(repr=False)
    lifetime: timedelta
    limit: int
    not_after: datetime | None = None


@dataclass(frozen=True)
class FindToken(DataQuery[IssuedToken]):
    """Return the token with the hash ``digest``. Raises TokenNotFound, also for one that has expired."""

    name: ClassVar[str] = "find_token"
    digest: str = field(repr=False)


@dataclass(frozen=True)
class RevokeToken(DataCall[None]):
    """End the token with the hash ``digest``; one that does not exist is no error."""

    name: ClassVar[str] = "revoke_token"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = API
    digest: str = field(repr=False)


@dataclass(frozen=True)
class PurgeTokens(DataCall[int]):
    """Remove up to ``max_rows`` tokens that have expired, and return their number."""

    name: ClassVar[str] = "purge_tokens"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = WORKER
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (IssueToken, FindToken, RevokeToken, PurgeTokens)
