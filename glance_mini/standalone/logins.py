"""Who may log in to the pocket identity service, and what a log-in allows as the users file is now.

A log-in depends on one secret: the password of a user, or one of the user's tokens, which also counts as a password. It
ends when that secret goes. A token is for one project, and so is a log-in with it.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.identity import IssuedToken
from glance_mini.standalone.live_users import ReloadingUsers
from glance_mini.standalone.passwords import PasswordCheck
from glance_mini.standalone.users import User, Users

_ADMIN = "admin"


@dataclass(frozen=True)
class Login:
    """A user who has shown a secret; ``credential`` is the hash of what it was, ``ends`` (UTC) when it ends or None.

    ``only_project`` is the one project that the secret is for, None for all projects of the user.
    """

    user: User
    credential: str = field(repr=False)
    only_project: str | None = None
    ends: datetime | None = None

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects in which the user has roles, in the order of the users file."""
        names = self.user.projects if self.only_project is None else (self.only_project,)
        return tuple(name for name in names if self.user.roles(name))

    def roles(self, project: str | None, domain: str | None) -> tuple[str, ...]:
        """Return the roles in a project or in the domain, where administrators alone have some; empty for neither."""
        if project is not None:
            return self.user.roles(project) if project in self.projects else ()
        roles = (self.user.roles(each) for each in self.projects) if domain is not None else ()
        return next((each for each in roles if _ADMIN in each), ())


class OpenLogin(Login):
    """The administrator of a service without authentication, who has all roles wherever one asks for them."""

    def roles(self, project: str | None, domain: str | None) -> tuple[str, ...]:
        """Return the roles; empty for neither project nor domain."""
        return self.user.roles(_ADMIN) if project is not None or domain is not None else ()


class Logins:
    """Log-ins by the users file; may be used by all threads."""

    def __init__(self, users: ReloadingUsers, passwords: PasswordCheck, note_use: Callable[[str], None]) -> None:
        """``note_use`` is told the hash of each token of the users file with which somebody logs in."""
        self._users = users
        self._passwords = passwords
        self._note_use = note_use

    @property
    def users(self) -> Users:
        """The present users."""
        return self._users.current()

    def by_password(self, name: str, password: str, address: str) -> Login | None:
        """Return the log-in of a user; None for a wrong name or password. Raises TooManyAttempts."""
        by_token = self.by_token(password)
        if by_token is not None and by_token.user.name == name:
            return by_token
        user = self.users.by_name.get(name)
        if not self._passwords.is_right(user, password, name, address) or user is None or user.password is None:
            return None
        return Login(user, _of_password(user.password))

    def by_token(self, token: str) -> Login | None:
        """Return the log-in by a token of the users file; None for one that is unknown or has expired."""
        users = self.users
        grant = users.find_token(token)
        if grant is None:
            return None
        self._note_use(grant.digest)
        return Login(users.get(grant.user), _of_token(grant.digest), grant.project, grant.expires)

    def behind(self, token: IssuedToken) -> Login | None:
        """Return the log-in that ``token`` was issued for; None if its user or its secret is gone."""
        users = self.users
        user = users.by_name.get(token.user)
        return next((each for each in _logins(users, user) if each.credential == token.credential), None)


class OpenLogins(Logins):
    """Log-ins of a service without authentication: whatever is sent, the caller is the one administrator."""

    _LOGIN = OpenLogin(User(_ADMIN, {_ADMIN: (_ADMIN,)}), "")
    _USERS = Users({_ADMIN: _LOGIN.user})

    def __init__(self) -> None:
        """Need no users."""

    @property
    def users(self) -> Users:
        return self._USERS

    def by_password(self, name: str, password: str, address: str) -> Login:
        return self._LOGIN

    def by_token(self, token: str) -> Login:
        return self._LOGIN

    def behind(self, token: IssuedToken) -> Login:
        return self._LOGIN


def _logins(users: Users, user: User | None) -> Iterator[Login]:
    """Yield the log-ins that a user has now, one for each secret."""
    if user is None:
        return
    if user.password is not None:
        yield Login(user, _of_password(user.password))
    for digest in user.tokens:
        grant = users.find_digest(digest)
        if grant is not None:
            yield Login(user, _of_token(digest), grant.project, grant.expires)


def _of_password(hashed: str) -> str:
    return hashlib.sha256(f"password {hashed}".encode()).hexdigest()


def _of_token(digest: str) -> str:
    return hashlib.sha256(f"token {digest}".encode()).hexdigest()
