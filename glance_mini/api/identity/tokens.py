"""Issues the tokens of log-ins, finds them again and revokes them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from oslo_config import cfg

from glance_mini.api.identity.requests import Scope, TokenRequest
from glance_mini.domain.context import Context
from glance_mini.domain.errors import TokenNotFound
from glance_mini.domain.identity import IssuedToken, digest_of, make_token, new_token_id
from glance_mini.operations.base import DataCall
from glance_mini.operations.identity import FindToken, IssueToken, RevokeToken
from glance_mini.standalone.logins import Login, Logins

R = TypeVar("R")


class Run(Protocol):
    """``DataAccess.run``, as far as it is needed here."""

    def __call__(self, call: DataCall[R], /) -> R: ...


@dataclass(frozen=True)
class Session:
    """A token that is valid now, with the log-in it was issued for."""

    token: IssuedToken
    login: Login

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the user has now where the token is for."""
        return self.login.roles(self.token.project, self.token.domain)

    @property
    def context(self) -> Context:
        """The context of a request with the token."""
        return Context(
            user_id=self.token.user,
            project_id=self.token.project,
            domain_id=self.token.domain,
            roles=self.roles,
        )


class Tokens:
    """The tokens of all nodes, which are rows of the database; may be used by all threads."""

    def __init__(self, conf: cfg.ConfigOpts, logins: Logins, run: Run) -> None:
        """Issue as ``[identity]`` says; ``run`` answers data calls."""
        self.logins = logins
        self._run = run
        self._lifetime = timedelta(seconds=conf.identity.token_seconds)
        self._limit: int = conf.identity.tokens_per_user

    def issue(self, request: TokenRequest, address: str) -> tuple[str, Session] | None:
        """Return a new token and its session; None if the request must be refused.

        Raises TooManyAttempts (wrong passwords), Unavailable.
        """
        before = self.find(request.token) if request.method == "token" else None
        login = before.login if before else self._login(request, address)
        if login is None:
            return None
        scope = _resolve(request.scope, login)
        if scope is None:
            return None
        methods = (request.method, *(each for each in (before.token.methods if before else ()) if each != "token"))
        ends = [end for end in (login.ends, before and before.token.expires_at) if end]
        token = IssuedToken(
            new_token_id(), login.user.name, login.credential, methods, project=scope.project, domain=scope.domain
        )
        text = make_token()
        digest = digest_of(text)
        assert digest is not None, "a new token is well-formed"
        call = IssueToken(token, digest, self._lifetime, self._limit, min(ends, default=None))
        return text, Session(self._run(call), login)

    def find(self, token: str) -> Session | None:
        """Return the session of ``token``; None for one that is unknown, or has ended. Raises Unavailable."""
        digest = digest_of(token)
        if digest is None:
            return None
        try:
            issued = self._run(FindToken(digest))
        except TokenNotFound:
            return None
        login = self.logins.behind(issued)
        if login is None:
            return None
        session = Session(issued, login)
        # Whoever has lost a project has lost the tokens for it.
        is_scoped = issued.project is not None or issued.domain is not None
        return None if is_scoped and not session.roles else session

    def revoke(self, token: str) -> None:
        """End ``token``. Raises Unavailable."""
        digest = digest_of(token)
        if digest is not None:
            self._run(RevokeToken(digest))

    def _login(self, request: TokenRequest, address: str) -> Login | None:
        if request.method == "token":
            return self.logins.by_token(request.token)
        # A user of an unknown domain is looked for too, because the time must tell nothing.
        return self.logins.by_password(request.user or "", request.password, address)


def _resolve(scope: Scope | None, login: Login) -> Scope | None:
    """Return what a token will be for, None if the user may not have it."""
    if scope is None:
        return None
    if scope.is_default:
        return Scope(project=next(iter(login.projects), None))
    if scope == Scope() or login.roles(scope.project, scope.domain):
        return scope
    return None
