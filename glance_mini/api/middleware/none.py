"""The flavour ``none``: every caller is an administrator.

Policy rules that ask for a role would refuse a caller without roles, so the caller has all the usual ones. The caller
belongs to no project: its images have no owner unless the request names one (api-conventions-context).
"""

from collections.abc import Callable, Mapping
from typing import Any

from glance_mini.api.middleware.context_filter import ContextFilter, WSGIApplication
from glance_mini.api.middleware.wiring import conf_and_enforcer
from glance_mini.domain.context import Context

ADMINISTRATOR = Context(roles=("admin", "manager", "member", "reader"), is_admin=True)
"""The caller of every request."""


class NoAuthenticationFilter(ContextFilter):
    """Lets every caller in."""

    def identify(self, environ: Mapping[str, Any]) -> Context:
        """Return the administrator."""
        return ADMINISTRATOR


def filter_factory(
    global_conf: Mapping[str, Any], **_local: str
) -> Callable[[WSGIApplication], NoAuthenticationFilter]:
    """Return the filter for PasteDeploy."""
    conf, enforcer = conf_and_enforcer(global_conf)
    return lambda app: NoAuthenticationFilter(app, conf, enforcer)
