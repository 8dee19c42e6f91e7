"""Who asks: the identity of one request, as the authentication middleware found it.

A value without behaviour beyond its own fields; what it may do is decided by the auth and policy layers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """The caller of one request (reference 1.6).

    ``roles`` and ``service_roles`` are lower case. ``project_id`` None: a caller without project, such as the
    administrator of a pipeline without authentication. ``domain_id`` and ``system_scope``: the domain or the system
    that a caller without project has roles in. ``read_only``: anonymous, may change nothing.

    ``tell`` makes, of an operation that writes and its result, the events that are stored in the same transaction; None
    where nothing is told that way.
    """

    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    service_roles: tuple[str, ...] = ()
    is_admin: bool = False
    read_only: bool = False
    request_id: str = ""
    global_request_id: str | None = None
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    tell: Callable[[Any, Any], Iterable[Any]] | None = field(default=None, repr=False, compare=False)

    @property
    def is_beyond_projects(self) -> bool:
        """Return whether the roles are held in a domain or in the system, where there are no images."""
        return self.domain_id is not None or self.system_scope is not None

    def policy_values(self) -> Mapping[str, object]:
        """Return the credentials that policy rules are checked against; a new dict at each call."""
        return {
            "user_id": self.user_id,
            "project_id": self.project_id,
            "tenant": self.project_id,
            "roles": list(self.roles),
            "service_roles": list(self.service_roles),
            "is_admin": self.is_admin,
            "domain_id": self.domain_id,
            "system_scope": self.system_scope,
            "user_domain_id": self.user_domain_id,
            "project_domain_id": self.project_domain_id,
        }
