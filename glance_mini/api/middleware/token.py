"""The flavour ``token``: tokens of the users file in ``X-Auth-Token``, as keystoneauth's ``admin_token`` sends them."""

from collections.abc import Callable
from pathlib import Path
from wsgiref.types import WSGIApplication, WSGIEnvironment

from oslo_config import cfg

from glance_mini.api.middleware.context_filter import ContextFilter, context_of_grant, maker_among
from glance_mini.api.middleware.issued import MakeIdentity, no_identity
from glance_mini.api.middleware.links import Finder, no_links
from glance_mini.api.middleware.wiring import GlobalConf, conf_and_enforcer, link_finder, make_identity
from glance_mini.domain.context import Context
from glance_mini.domain.links import Link
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.live_users import watch_users
from glance_mini.standalone.logins import Logins
from glance_mini.standalone.passwords import open_password_check
from glance_mini.standalone.token_uses import TokenUses, uses_file


class TokenFilter(ContextFilter):
    """Lets in callers who send a token of the users file, and notes in ``uses`` when; whoever builds it starts that."""

    scheme = "Token"

    def __init__(
        self,
        app: WSGIApplication,
        conf: cfg.ConfigOpts,
        enforcer: Enforcer,
        find_link: Finder = no_links,
        make_identity: MakeIdentity = no_identity,
    ) -> None:
        """Read the users; raises ConfigurationError."""
        super().__init__(app, conf, enforcer, find_link)
        self._users = watch_users(conf)
        self.uses = TokenUses(Path(conf.authentication.users_file), uses_file(conf))
        self.identity = make_identity(Logins(self._users, open_password_check(conf), self.uses.note))

    def identify(self, environ: WSGIEnvironment) -> Context | None:
        """Return the user whose token was sent, in the project that the token is for."""
        token = environ.get("HTTP_X_AUTH_TOKEN")
        grant = self._users.current().find_token(token) if token else None
        if grant is None:
            return None
        self.uses.note(grant.digest)
        return context_of_grant(grant.user, grant.project, grant.roles)

    def maker_of(self, link: Link) -> Context | None:
        """Return the user who made ``link``, with the present roles."""
        return maker_among(self._users.current(), link)


def filter_factory(global_conf: GlobalConf, **_local: str) -> Callable[[WSGIApplication], TokenFilter]:
    """Return the filter for PasteDeploy."""
    conf, enforcer = conf_and_enforcer(global_conf)

    def make(app: WSGIApplication) -> TokenFilter:
        made = TokenFilter(app, conf, enforcer, link_finder(global_conf), make_identity(global_conf))
        global_conf["parts"].append(made.uses)
        return made

    return make
