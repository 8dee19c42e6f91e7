"""The objects that filters are built from; ``bootstrap`` passes them through PasteDeploy.

A filter with a thread adds it to ``parts``; the process starts and closes it.
"""

from typing import TypedDict

from oslo_config import cfg

from glance_mini.api.identity.application import IdentityApplication
from glance_mini.api.identity.tokens import Tokens
from glance_mini.api.middleware.issued import Identity, MakeIdentity
from glance_mini.api.middleware.links import Finder
from glance_mini.api.middleware.pages import Pages
from glance_mini.background import Part
from glance_mini.conf.identity import serves_identity
from glance_mini.conf.paste_deploy import NO_AUTHENTICATION, authentication
from glance_mini.event_stream.hub import EventHub
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.logins import Logins


class GlobalConf(TypedDict):
    """The objects of the process, among the names that PasteDeploy itself passes to every factory."""

    conf: cfg.ConfigOpts
    services: Services
    stack: Stack
    parts: list[Part]
    events: EventHub


def conf_and_enforcer(global_conf: GlobalConf) -> tuple[cfg.ConfigOpts, Enforcer]:
    """Return the configuration and the policy rules of this process."""
    return global_conf["conf"], global_conf["services"].enforcer


def make_identity(global_conf: GlobalConf) -> MakeIdentity:
    """Return the function that makes the identity service of a filter from what the filter knows of log-ins.

    It returns None if the service is switched off.
    """
    conf, services = global_conf["conf"], global_conf["services"]

    def make(logins: Logins) -> Identity | None:
        if not serves_identity(conf):
            return None
        tokens = Tokens(conf, logins, services.data.run)
        pages = Pages.from_config(conf, is_local=authentication(conf) == NO_AUTHENTICATION)
        application = IdentityApplication(conf, services.enforcer, tokens, services.metrics, pages)
        return Identity(application, tokens)

    return make


def link_finder(global_conf: GlobalConf) -> Finder:
    """Return the function by which this process finds links."""
    services = global_conf["services"]
    return lambda call: services.data.run(call)
