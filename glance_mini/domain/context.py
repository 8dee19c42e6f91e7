"""Who asks: the identity of one request, as the authentication middleware found it.

A value without behaviour beyond its own fields; what it may do is decided by the auth and policy layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glance_mini.domain.cause import Cause


@dataclass(frozen=True, slots=True)
class Context:
    """The caller of one request (api-conventions-context).

    ``roles`` and ``service_roles`` are lower case. ``project_id`` None: a caller without project, such as the
    administrator of a pipeline without authentication. ``domain_id`` and ``system_scope``: the domain or the system
    that a caller without project has roles in. ``read_only``: anonymous, may change nothing.

    ``cause`` is the call of the API that is being answered, for the events of what it changes.
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
    cause: Cause | None = field(default=None, repr=False, compare=False)

    def caused_by(self, operation: str, store: str | None = None) -> "Context":
        """Return the same caller, who now calls ``operation``; ``store`` is the store that the request names."""
        return replace(self, cause=self._cause(operation, store))

    def caller(self) -> Mapping[str, object]:
        """Return who asks, in the form of notifications."""
        return self._cause("").caller()

    def _cause(self, operation: str, store: str | None = None) -> Cause:
        return Cause(operation, self.user_id, self.project_id, self.roles, self.request_id, store)
