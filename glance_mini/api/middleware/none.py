"""The flavour ``none``: everybody is an administrator.

Rules that ask for a role would refuse a caller without roles, so here they get all the usual ones. They belong to no
project: what they create has no owner unless they name one (api-conventions-context).
"""

from collections.abc import Callable, Mapping
from typing import Any

from glance_mini.api.middleware.context_filter import ContextFilter, WSGIApplication
from glance_mini.api.middleware.wiring import conf_and_enforcer
from glance_mini.domain.context import Context

ADMINISTRATOR = Context(roles=("admin", "manager", "member", "reader"), is_admin=True)
"""The caller of every request."""


class NoAuthenticationFilter(ContextFilter):
    """Lets everybody in."""

    def identify(self, environ: Mapping[str, Any]) -> Context:
        """Return the administrator."""
        return ADMINISTRATOR


def filter_factory(
    global_conf: Mapping[str, Any], **_local: str
) -> Callable[[WSGIApplication], NoAuthenticationFilter]:
    """Return the filter for PasteDeploy."""
    conf, enforcer = conf_and_enforcer(global_conf)
    return lambda app: NoAuthenticationFilter(app, conf, enforcer)
