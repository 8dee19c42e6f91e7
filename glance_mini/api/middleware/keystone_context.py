"""The second half of the flavour ``keystone``: makes a context from the headers that keystonemiddleware sets.

It must follow ``keystone`` in the pipeline, because that filter removes such headers if a client sends them.
"""

from collections.abc import Callable
from wsgiref.types import WSGIApplication, WSGIEnvironment

from glance_mini.api.middleware.context_filter import ContextFilter
from glance_mini.api.middleware.wiring import GlobalConf, conf_and_enforcer, link_finder
from glance_mini.domain.context import Context

_CONFIRMED = "Confirmed"


class KeystoneContextFilter(ContextFilter):
    """Lets in callers whose token Keystone has confirmed. keystonemiddleware adds ``WWW-Authenticate`` to a 401."""

    def identify(self, environ: WSGIEnvironment) -> Context | None:
        """Return the owner of the token, with the roles of the service token if one was sent."""
        if environ.get("HTTP_X_IDENTITY_STATUS") != _CONFIRMED:
            return None
        is_service = environ.get("HTTP_X_SERVICE_IDENTITY_STATUS") == _CONFIRMED
        return Context(
            user_id=environ.get("HTTP_X_USER_ID"),
            project_id=environ.get("HTTP_X_PROJECT_ID"),
            roles=_roles(environ.get("HTTP_X_ROLES")),
            service_roles=_roles(environ.get("HTTP_X_SERVICE_ROLES")) if is_service else (),
            user_domain_id=environ.get("HTTP_X_USER_DOMAIN_ID"),
            project_domain_id=environ.get("HTTP_X_PROJECT_DOMAIN_ID"),
            domain_id=environ.get("HTTP_X_DOMAIN_ID"),
            system_scope=environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE"),
            auth_token=environ.get("HTTP_X_AUTH_TOKEN"),
        )


def _roles(header: str | None) -> tuple[str, ...]:
    return tuple(role.strip().lower() for role in (header or "").split(",") if role.strip())


def filter_factory(global_conf: GlobalConf, **_local: str) -> Callable[[WSGIApplication], KeystoneContextFilter]:
    """Return the filter for PasteDeploy."""
    conf, enforcer = conf_and_enforcer(global_conf)
    return lambda app: KeystoneContextFilter(app, conf, enforcer, link_finder(global_conf))
