"""What acts for a caller when the request of that caller is over: jobs, links and upload sessions keep who it was."""

from dataclasses import dataclass, fields

from glance_mini.domain.context import Context
from glance_mini.domain.fields import with_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ActsForCaller:
    """Base of what acts for a caller later. The fields are those of the caller's context of the same names."""

    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    service_roles: tuple[str, ...] = ()
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None


_NAMES = tuple(field.name for field in fields(ActsForCaller))


def of_caller(context: Context) -> dict[str, object]:
    """Return the values of the fields of ``ActsForCaller`` for what acts for the caller of ``context``."""
    return _values(context)


def context_for(acting: ActsForCaller, is_admin: bool = False, request_id: str = "") -> Context:
    """Return the context of the caller for whom ``acting`` acts."""
    return with_fields(Context(is_admin=is_admin, request_id=request_id), **_values(acting))


def _values(source: Context | ActsForCaller) -> dict[str, object]:
    return {name: getattr(source, name) for name in _NAMES}
