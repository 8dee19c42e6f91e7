"""The caller of a request, as the authentication middleware identified it.

It is a plain value: the auth and policy layers decide what the caller may do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glance_mini.domain.cause import Cause


@dataclass(frozen=True, slots=True)
class Context:
    """The caller of one request (api-conventions-context).

    ``roles`` and ``service_roles`` are lower case. ``project_id`` is None for a caller without a project, such as the
    administrator of a pipeline without authentication. ``domain_id`` and ``system_scope`` name the domain or the
    system in which a caller without a project has roles. ``read_only`` callers are anonymous and may change nothing.

    ``cause`` is the current API call, for the events of its changes.
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
        """Return the same caller with ``operation`` as the cause; ``store`` is the store that the request names."""
        return replace(self, cause=self._cause(operation, store))

    def caller(self) -> Mapping[str, object]:
        """Return the caller in the form that notifications use."""
        return self._cause("").caller()

    def _cause(self, operation: str, store: str | None = None) -> Cause:
        return Cause(operation, self.user_id, self.project_id, self.roles, self.request_id, store)
