"""The flavour ``none``: every caller is an administrator.

Policy rules that ask for a role would refuse a caller without roles, so the caller has all the usual ones. The caller
belongs to no project: its images have no owner unless the request names one (api-conventions-context).
"""

from collections.abc import Callable
from wsgiref.types import WSGIApplication, WSGIEnvironment

from oslo_config import cfg

from glance_mini.api.middleware.context_filter import ContextFilter
from glance_mini.api.middleware.issued import MakeIdentity, no_identity
from glance_mini.api.middleware.links import Finder, no_links
from glance_mini.api.middleware.pages import Pages
from glance_mini.api.middleware.wiring import GlobalConf, conf_and_enforcer, link_finder, make_identity
from glance_mini.domain.context import Context
from glance_mini.domain.links import Link
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.logins import OpenLogins

ADMINISTRATOR = Context(roles=("admin", "manager", "member", "reader"), is_admin=True)
"""The caller of every request."""


class NoAuthenticationFilter(ContextFilter):
    """Lets every caller in but pages of other web sites."""

    def __init__(
        self,
        app: WSGIApplication,
        conf: cfg.ConfigOpts,
        enforcer: Enforcer,
        find_link: Finder = no_links,
        make_identity: MakeIdentity = no_identity,
    ) -> None:
        super().__init__(app, conf, enforcer, find_link)
        self._pages = Pages.from_config(conf, is_local=True)
        self.identity = make_identity(OpenLogins())

    def identify(self, environ: WSGIEnvironment) -> Context:
        """Return the administrator; raises what ``Pages.check`` raises."""
        self._pages.check(environ)
        return ADMINISTRATOR

    def maker_of(self, link: Link) -> Context:
        """Return the administrator, who makes every link."""
        return ADMINISTRATOR


def filter_factory(global_conf: GlobalConf, **_local: str) -> Callable[[WSGIApplication], NoAuthenticationFilter]:
    """Return the filter for PasteDeploy."""
    conf, enforcer = conf_and_enforcer(global_conf)
    return lambda app: NoAuthenticationFilter(app, conf, enforcer, link_finder(global_conf), make_identity(global_conf))
