"""The users of an installation without Keystone: their names, roles in projects, and hashes of their secrets.

Reads and writes the users file and checks secrets. It neither reads requests nor decides what a role allows.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NotRequired, TypedDict

import bcrypt

from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import ConfigurationError, Duplicate, Invalid, NotFound
from glance_mini.standalone.files import locked, moment_from, text_of_moment, write_private

VERSION = 2
"""The format of the file that this release writes. It also reads 1, in which tokens have neither name nor times."""

PASSWORD_BYTES = (8, 72)
"""The shortest and the longest password; bcrypt uses no more than 72 bytes."""

IMPLIED_ROLES = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}
"""The roles that a role implies, as in Keystone by default; the default policy rules rely on them."""

DOMAIN_ID = "default"
"""The id of the one domain, which holds all users and projects."""

DOMAIN_NAME = "Default"

_TOKEN_BYTES = 32
_DIGITS_OF_A_NAME = 8
_NAME = re.compile(r"[^\s:/\x00-\x1f\x7f]{1,64}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token besides its hash. The times are UTC: ``created`` may be None, ``expires`` None is never.

    ``name`` is unique among the tokens of its user.
    """

    name: str
    project: str
    created: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    """One user. ``projects``: roles by project. ``tokens``: by hash. ``password``: bcrypt's hash, or None."""

    name: str
    projects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)

    def roles(self, project: str) -> tuple[str, ...]:
        """Return the roles in ``project`` and those that they imply, in lower case; empty if the user has none."""
        named = {role.lower() for role in self.projects.get(project, ())}
        return tuple(sorted(named.union(*(IMPLIED_ROLES.get(role, ()) for role in named))))

    def with_role(self, project: str, roles: tuple[str, ...]) -> "User":
        """Return the user with exactly ``roles`` in ``project``; raises Invalid for a malformed name."""
        for kind, name in (("project", project), *(("role", role) for role in roles)):
            check_name(kind, name)
        return replace(self, projects={**self.projects, project: roles})

    def with_token(self, token: str, project: str, name: str | None = None, expires: datetime | None = None) -> "User":
        """Return the user with one more token for ``project``; ``name`` None is the beginning of its hash.

        Raises Invalid for a malformed name, Duplicate for one that the user has already.
        """
        digest = hash_token(token)
        name = name or _default_name(digest)
        check_name("token", name)
        others = {other: known for other, known in self.tokens.items() if other != digest}
        if any(known.name == name for known in others.values()):
            raise Duplicate(kind="token", id=f"{name} of user {self.name}")
        return replace(self, tokens={**others, digest: Token(name, project, utcnow().replace(microsecond=0), expires)})

    def with_password(self, password: str) -> "User":
        """Return the user with ``password``; raises what ``hash_password`` raises."""
        return replace(self, password=hash_password(password))

    def without_password(self) -> "User":
        """Return the user without a password."""
        return replace(self, password=None)

    def without_project(self, project: str) -> "User":
        """Return the user without ``project`` and the tokens for it; raises NotFound."""
        if project not in self.projects:
            raise NotFound(kind=f"project of user {self.name}", id=project)
        projects = {name: roles for name, roles in self.projects.items() if name != project}
        tokens = {digest: token for digest, token in self.tokens.items() if token.project != project}
        return replace(self, projects=projects, tokens=tokens)

    def without_token(self, name: str) -> "User":
        """Return the user without the token of that name; raises NotFound."""
        rest = {digest: token for digest, token in self.tokens.items() if token.name != name}
        if len(rest) == len(self.tokens):
            raise NotFound(kind=f"token of user {self.name}", id=name)
        return replace(self, tokens=rest)

    def without_tokens(self) -> "User":
        """Return the user without tokens."""
        return replace(self, tokens={})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token grants until it ``expires`` (UTC; None: never): a user who acts in one project.

    ``digest`` is the hash of the token.
    """

    user: str
    project: str
    roles: tuple[str, ...]
    digest: str
    expires: datetime | None = None


class Users:
    """All users at one moment; immutable."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self.by_name = dict(users)
        self._grants = {
            digest: Grant(user.name, token.project, user.roles(token.project), digest, token.expires)
            for user in users.values()
            for digest, token in user.tokens.items()
        }

    def find_token(self, token: str) -> Grant | None:
        """Return what ``token`` grants; None for one that is unknown or has expired.

        The time of the lookup does not help to guess a token, because a token cannot be chosen by its hash.
        """
        return self.find_digest(hash_token(token))

    def find_digest(self, digest: str) -> Grant | None:
        """Return what the token with the hash ``digest`` grants; None for one that is unknown or has expired."""
        grant = self._grants.get(digest)
        if grant is None or (grant.expires is not None and grant.expires <= utcnow()):
            return None
        return grant

    def get(self, name: str) -> User:
        """Return the user of that name; raises NotFound."""
        if name not in self.by_name:
            raise NotFound(kind="user", id=name)
        return self.by_name[name]

    def add(self, user: User) -> "Users":
        """Return the users with ``user``, which replaces one of the same name; raises Invalid, Duplicate."""
        check_name("user", user.name)
        others = {digest for other in self.by_name.values() if other.name != user.name for digest in other.tokens}
        if others & set(user.tokens):
            raise Duplicate(kind="token", id=f"of user {user.name}")
        return Users({**self.by_name, user.name: user})

    def remove(self, name: str) -> "Users":
        """Return the users without ``name``; raises NotFound."""
        self.get(name)
        return Users({other: user for other, user in self.by_name.items() if other != name})


def make_token() -> str:
    """Return a new token, 32 random bytes in hexadecimal. It is shown once; the file holds its hash.

    It begins with a digit or a letter, so that a client never takes it for an option of its command line.
    """
    return secrets.token_hex(_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Return the hash under which ``token`` is stored.

    Unlike for a password, one round of SHA-256 is enough, because 2**256 tokens cannot be tried.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def check_name(kind: str, name: str) -> None:
    """Raise Invalid unless ``name`` can be the name of a user, project or role."""
    if not _NAME.fullmatch(name):
        raise Invalid(reason=f"'{name}' cannot be the name of a {kind}: 1 to 64 characters, no space, colon or slash.")


def is_password(password: str, hashed: str) -> bool:
    """Return whether ``password`` belongs to bcrypt's hash; slow on purpose, about a quarter of a second."""
    secret = password.encode("utf-8", "surrogateescape")
    if len(secret) > PASSWORD_BYTES[1] or b"\x00" in secret:
        return False
    try:
        return hmac.compare_digest(bcrypt.hashpw(secret, hashed.encode()), hashed.encode())
    except ValueError:
        return False


def hash_password(password: str) -> str:
    """Return bcrypt's hash of ``password``; raises Invalid if bcrypt could not distinguish it from others."""
    secret = password.encode("utf-8", "surrogateescape")
    shortest, longest = PASSWORD_BYTES
    if not shortest <= len(secret) <= longest or b"\x00" in secret:
        raise Invalid(reason=f"A password has {shortest} to {longest} bytes and no zero byte.")
    return bcrypt.hashpw(secret, bcrypt.gensalt()).decode()


def read_users(path: Path) -> Users:
    """Return the users in the file; raises ConfigurationError if it cannot be read or is malformed."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(reason=f"The users file {path} cannot be read: {error.strerror}") from error
    try:
        content = json.loads(text)
        if content["version"] not in (1, VERSION):
            raise ValueError(f"its version is {content['version']!r}, this release reads 1 and {VERSION}")
        return Users({name: _user_from(name, entry) for name, entry in content["users"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, Invalid) as error:
        raise ConfigurationError(reason=f"{path} is not a users file: {error}") from error


def change_users(path: Path, change: Callable[[Users], Users]) -> None:
    """Replace the users in the file with the result of ``change``; the file is made if it is missing.

    Writers wait for each other; a reader sees the old or the new file. The file keeps its owner and mode; only its
    owner may read a new one. Raises what ``read_users`` and ``change`` raise, and OSError.
    """
    with locked(path.parent):
        users = read_users(path) if path.exists() else Users({})
        write_private(path, _text_of(change(users)))


class _TokenEntry(TypedDict):
    """A token in the file; format 1 has only the first two."""

    sha256: str
    project: str
    name: NotRequired[str]
    created: NotRequired[str | None]
    expires: NotRequired[str | None]


class _Entry(TypedDict):
    """A user in the file."""

    projects: NotRequired[dict[str, object]]
    tokens: NotRequired[list[_TokenEntry]]
    password: NotRequired[str]


def _user_from(name: str, entry: _Entry) -> User:
    user = User(name, password=entry.get("password"))
    check_name("user", name)
    for project, roles in entry.get("projects", {}).items():
        if not isinstance(roles, list):
            raise ValueError(f"the roles of user {name} in project {project} are not a list")
        user = user.with_role(project, tuple(roles))
    return replace(user, tokens={token["sha256"]: _token_from(token) for token in entry.get("tokens", ())})


def _token_from(entry: _TokenEntry) -> Token:
    name = entry.get("name", _default_name(entry["sha256"]))
    check_name("token", name)
    return Token(name, entry["project"], moment_from(entry.get("created")), moment_from(entry.get("expires")))


def _default_name(digest: str) -> str:
    return digest[:_DIGITS_OF_A_NAME]


def _entry_of(user: User) -> _Entry:
    return {
        "projects": {project: list(roles) for project, roles in user.projects.items()},
        "tokens": [
            {
                "sha256": digest,
                "project": token.project,
                "name": token.name,
                "created": text_of_moment(token.created),
                "expires": text_of_moment(token.expires),
            }
            for digest, token in user.tokens.items()
        ],
        **({"password": user.password} if user.password else {}),
    }


def _text_of(users: Users) -> str:
    content = {"version": VERSION, "users": {name: _entry_of(user) for name, user in users.by_name.items()}}
    return json.dumps(content, indent=2) + "\n"
