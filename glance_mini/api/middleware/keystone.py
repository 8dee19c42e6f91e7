"""The first half of the flavour ``keystone``: keystonemiddleware asks Keystone what a token is worth.

It decides nothing itself ("delayed decision"); that is the second half's, ``keystone_context``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from glance_mini.api.middleware.context_filter import WSGIApplication
from glance_mini.api.middleware.wiring import conf_and_enforcer


def filter_factory(global_conf: Mapping[str, Any], **local: str) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return the filter for PasteDeploy; options in its section go before those of ``[keystone_authtoken]``."""
    from keystonemiddleware.auth_token import AuthProtocol

    conf, _ = conf_and_enforcer(global_conf)
    settings = {"delay_auth_decision": True, "include_service_catalog": False, **local, "oslo_config_config": conf}
    return lambda app: AuthProtocol(app, dict(settings))
