"""What a client asks for when it logs in: ``POST /v3/auth/tokens`` (Identity API v3, password and token)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, cast

from glance_mini.domain.errors import Invalid
from glance_mini.standalone.users import DOMAIN_ID, DOMAIN_NAME

LONGEST = 255
"""The most characters of a name, a password or a token."""

_Object = Mapping[str, object]


@dataclass(frozen=True)
class Scope:
    """What a token is asked for: a ``project``, a ``domain``, or neither.

    ``is_default``: nothing was asked for, so the first project of the user is meant.
    """

    project: str | None = None
    domain: str | None = None
    is_default: bool = False


@dataclass(frozen=True)
class TokenRequest:
    """One log-in, by ``user`` and ``password`` or by ``token``.

    ``user`` is None for a user of a domain that does not exist, and ``scope`` is None for such a project or domain and
    for anything else that nobody can have.
    """

    method: str
    scope: Scope | None
    user: str | None = None
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def read_token_request(body: _Object) -> TokenRequest:
    """Return the request in ``body``; raises Invalid for anything malformed, and for more than one method."""
    auth = _object(body, "auth")
    identity = _object(auth, "identity")
    methods = identity.get("methods")
    if not isinstance(methods, list) or len(methods) != 1 or not isinstance(methods[0], str):
        _refuse("auth.identity.methods must name one method, password or token")
    scope = _scope(auth["scope"]) if "scope" in auth else Scope(is_default=True)
    if methods[0] == "token":
        return TokenRequest("token", scope, token=_text(_object(identity, "token"), "id"))
    if methods[0] != "password":
        _refuse("the method is not known here; there are password and token")
    user = _object(_object(identity, "password"), "user")
    return TokenRequest("password", scope, user=_named(user), password=_text(user, "password"))


def is_domain(domain: _Object) -> bool:
    """Return whether ``domain``, with an id or a name, is the one that exists; raises Invalid."""
    if "id" in domain:
        return _text(domain, "id") == DOMAIN_ID
    return _text(domain, "name").lower() == DOMAIN_NAME.lower()


def _scope(scope: object) -> Scope | None:
    if scope == "unscoped":
        return Scope()
    if not isinstance(scope, dict):
        _refuse("auth.scope must be an object")
    if "project" in scope:
        project = _named(_object(scope, "project"))
        return Scope(project=project) if project is not None else None
    if "domain" in scope:
        return Scope(domain=DOMAIN_ID) if is_domain(_object(scope, "domain")) else None
    return Scope() if "unscoped" in scope else None


def _named(value: _Object) -> str | None:
    """Return the user or project that an id, or a name in a domain, means; ids are names. None for another domain."""
    if "id" in value:
        return _text(value, "id")
    name = _text(value, "name")
    return name if "domain" not in value or is_domain(_object(value, "domain")) else None


def _object(value: _Object, name: str) -> _Object:
    found = value.get(name)
    if not isinstance(found, dict):
        _refuse(f"{name} must be an object")
    return cast(_Object, found)


def _text(value: _Object, name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST:
        _refuse(f"{name} must be a text of 1 to {LONGEST} characters")
    return found


def _refuse(problem: str) -> NoReturn:
    raise Invalid(reason=f"The request for a token cannot be used: {problem}.")
