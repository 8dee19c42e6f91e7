"""The users of an installation without Keystone: their names, roles in projects, and hashes of their secrets.

Reads and writes the users file and checks secrets. It neither reads requests nor decides what a role allows.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NotRequired, TypedDict

import bcrypt

from glance_mini.domain.errors import ConfigurationError, Duplicate, Invalid, NotFound
from glance_mini.standalone.files import write_private

VERSION = 1
"""The format of the file that this release writes; a file with another number is refused."""

PASSWORD_BYTES = (8, 72)
"""The shortest and the longest password; bcrypt uses no more than 72 bytes."""

IMPLIED_ROLES = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}
"""The roles that a role implies, as in Keystone by default; the default policy rules rely on them."""

_TOKEN_BYTES = 32
_NAME = re.compile(r"[^\s:/\x00-\x1f\x7f]{1,64}")


@dataclass(frozen=True, slots=True)
class User:
    """One user. ``projects``: roles by project. ``tokens``: project by hash. ``password``: bcrypt's hash, or None."""

    name: str
    projects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
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

    def with_token(self, token: str, project: str) -> "User":
        """Return the user with one more token, which is valid for ``project``."""
        return replace(self, tokens={**self.tokens, hash_token(token): project})

    def with_password(self, password: str) -> "User":
        """Return the user with ``password``; raises what ``hash_password`` raises."""
        return replace(self, password=hash_password(password))

    def without_project(self, project: str) -> "User":
        """Return the user without ``project`` and the tokens for it; raises NotFound."""
        if project not in self.projects:
            raise NotFound(kind=f"project of user {self.name}", id=project)
        projects = {name: roles for name, roles in self.projects.items() if name != project}
        tokens = {digest: name for digest, name in self.tokens.items() if name != project}
        return replace(self, projects=projects, tokens=tokens)

    def without_tokens(self) -> "User":
        """Return the user without tokens."""
        return replace(self, tokens={})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid secret grants: a user who acts in one project."""

    user: str
    project: str
    roles: tuple[str, ...]


class Users:
    """All users at one moment; immutable."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self.by_name = dict(users)
        self._grants = {
            digest: Grant(user.name, project, user.roles(project))
            for user in users.values()
            for digest, project in user.tokens.items()
        }

    def find_token(self, token: str) -> Grant | None:
        """Return what ``token`` grants; None for an unknown one.

        The time of the lookup does not help to guess a token, because a token cannot be chosen by its hash.
        """
        return self._grants.get(hash_token(token))

    def add(self, user: User) -> "Users":
        """Return the users with ``user``, which replaces one of the same name; raises Invalid, Duplicate."""
        check_name("user", user.name)
        others = {digest for other in self.by_name.values() if other.name != user.name for digest in other.tokens}
        if others & set(user.tokens):
            raise Duplicate(kind="token", id=f"of user {user.name}")
        return Users({**self.by_name, user.name: user})

    def remove(self, name: str) -> "Users":
        """Return the users without ``name``; raises NotFound."""
        if name not in self.by_name:
            raise NotFound(kind="user", id=name)
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
        if content["version"] != VERSION:
            raise ValueError(f"its version is {content['version']!r}, this release reads {VERSION}")
        return Users({name: _user_from(name, entry) for name, entry in content["users"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, Invalid) as error:
        raise ConfigurationError(reason=f"{path} is not a users file: {error}") from error


def change_users(path: Path, change: Callable[[Users], Users]) -> None:
    """Replace the users in the file with the result of ``change``; the file is made if it is missing.

    Writers wait for each other; a reader sees the old or the new file. The file keeps its owner and mode; only its
    owner may read a new one. Raises what ``read_users`` and ``change`` raise, and OSError.
    """
    with _locked(path.parent):
        users = read_users(path) if path.exists() else Users({})
        write_private(path, _text_of(change(users)))


class _Entry(TypedDict):
    """A user in the file."""

    projects: NotRequired[dict[str, object]]
    tokens: NotRequired[list[dict[str, str]]]
    password: NotRequired[str]


def _user_from(name: str, entry: _Entry) -> User:
    user = User(name, password=entry.get("password"))
    check_name("user", name)
    for project, roles in entry.get("projects", {}).items():
        if not isinstance(roles, list):
            raise ValueError(f"the roles of user {name} in project {project} are not a list")
        user = user.with_role(project, tuple(roles))
    return replace(user, tokens={token["sha256"]: token["project"] for token in entry.get("tokens", ())})


def _entry_of(user: User) -> _Entry:
    return {
        "projects": {project: list(roles) for project, roles in user.projects.items()},
        "tokens": [{"sha256": digest, "project": project} for digest, project in user.tokens.items()],
        **({"password": user.password} if user.password else {}),
    }


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Exclude other writers. The directory is locked, not the file, because the file is replaced."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _text_of(users: Users) -> str:
    content = {"version": VERSION, "users": {name: _entry_of(user) for name, user in users.by_name.items()}}
    return json.dumps(content, indent=2) + "\n"
