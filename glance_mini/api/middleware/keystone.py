"""The first half of the flavour ``keystone``: keystonemiddleware lets Keystone validate the token.

It does not refuse callers ("delayed decision"); the second half, ``keystone_context``, does. It answers a request
only if Keystone cannot be reached.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from wsgiref.types import WSGIApplication

from glance_mini.api.errors import RETRY_AFTER
from glance_mini.api.middleware.wiring import GlobalConf, conf_and_enforcer

if TYPE_CHECKING:
    from keystonemiddleware.auth_token import AuthProtocol as Base

SERVICE_TYPE = "image"
"""The name of this service in access rules of application credentials."""


def filter_factory(global_conf: GlobalConf, **local: str) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return the filter for PasteDeploy; options in its section override those of ``[keystone_authtoken]``."""
    protocol = _protocol()
    conf, _ = conf_and_enforcer(global_conf)
    settings = {"delay_auth_decision": True, "service_type": SERVICE_TYPE, **local, "oslo_config_config": conf}
    return lambda app: protocol(app, dict(settings))


def _protocol() -> "type[Base]":
    """Return keystonemiddleware's filter, which is imported here because only this flavour needs it."""
    from keystoneauth1 import exceptions
    from keystonemiddleware.auth_token import AuthProtocol, _exceptions
    from webob.exc import HTTPServiceUnavailable

    away = (
        exceptions.ConnectFailure,
        exceptions.DiscoveryFailure,
        exceptions.RequestTimeout,
        _exceptions.ServiceError,
    )

    class Protocol(AuthProtocol):
        """Answers 503 while Keystone cannot be reached; the base class would treat each token as invalid."""

        def fetch_token(self, token: str, **options: object) -> object:
            try:
                return super().fetch_token(token, **options)
            except _exceptions.InvalidToken as error:
                if not isinstance(error.__context__, away):
                    raise
                reason = "Keystone cannot be reached to validate the token; try again later."
                raise HTTPServiceUnavailable(reason, headers={"Retry-After": RETRY_AFTER}) from error

    return Protocol
