"""The flavour ``basic``: user names and passwords of the users file by HTTP basic authentication.

It serves keystoneauth's ``http_basic`` and browsers. Source: RFC 7617.
"""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from wsgiref.types import WSGIApplication, WSGIEnvironment

from oslo_config import cfg

from glance_mini.api.middleware.context_filter import ContextFilter, context_of_grant, maker_among
from glance_mini.api.middleware.issued import MakeIdentity, no_identity
from glance_mini.api.middleware.links import Finder, no_links
from glance_mini.api.middleware.pages import Pages
from glance_mini.api.middleware.wiring import GlobalConf, conf_and_enforcer, link_finder, make_identity
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden
from glance_mini.domain.links import Link
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.live_users import watch_users
from glance_mini.standalone.logins import Logins
from glance_mini.standalone.passwords import open_password_check
from glance_mini.standalone.token_uses import TokenUses, uses_file
from glance_mini.standalone.users import User


class BasicFilter(ContextFilter):
    """Lets in callers who send the name and password of a user. Whoever builds it starts ``uses``.

    The caller acts in the project that ``X-Project-Id`` names, or without that header in the user's first project.
    """

    scheme = "Basic"

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
        self._pages = Pages.from_config(conf)
        self._passwords = open_password_check(conf)
        self.uses = TokenUses(Path(conf.authentication.users_file), uses_file(conf))
        self.identity = make_identity(Logins(self._users, self._passwords, self.uses.note))

    def identify(self, environ: WSGIEnvironment) -> Context | None:
        """Return the user whose name and password were sent.

        Raises Forbidden for a project that is not the user's, TooManyAttempts, and what ``Pages.check`` raises.
        """
        self._pages.check(environ)
        credentials = _credentials(environ.get("HTTP_AUTHORIZATION", ""))
        if credentials is None:
            return None
        name, password = credentials
        user = self._users.current().by_name.get(name)
        if not self._passwords.is_right(user, password, name, environ.get("REMOTE_ADDR", "")) or user is None:
            return None
        project = _project(user, environ.get("HTTP_X_PROJECT_ID"))
        return context_of_grant(user.name, project, user.roles(project))

    def maker_of(self, link: Link) -> Context | None:
        """Return the user who made ``link``, with the present roles."""
        return maker_among(self._users.current(), link)

    def claimed_name(self, environ: WSGIEnvironment) -> str | None:
        """Return the name that was sent with a password."""
        credentials = _credentials(environ.get("HTTP_AUTHORIZATION", ""))
        return credentials and credentials[0]


def _credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, separator, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if separator else None


def _project(user: User, wanted: str | None) -> str:
    project = wanted or next(iter(user.projects), None)
    if project is None or project not in user.projects:
        raise Forbidden(reason=f"User {user.name} has no role in project {project or '(none)'}.")
    return project


def filter_factory(global_conf: GlobalConf, **_local: str) -> Callable[[WSGIApplication], BasicFilter]:
    """Return the filter for PasteDeploy."""
    conf, enforcer = conf_and_enforcer(global_conf)

    def make(app: WSGIApplication) -> BasicFilter:
        made = BasicFilter(app, conf, enforcer, link_finder(global_conf), make_identity(global_conf))
        global_conf["parts"].append(made.uses)
        return made

    return make
