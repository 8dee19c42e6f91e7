"""The objects that filters are built from; ``bootstrap`` passes them through PasteDeploy.

A filter with a thread adds it to ``parts``; the process starts and closes it.
"""

from typing import TypedDict

from oslo_config import cfg

from glance_mini.api.middleware.links import Finder
from glance_mini.background import Part
from glance_mini.event_stream.hub import EventHub
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.policies.enforcer import Enforcer


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


def link_finder(global_conf: GlobalConf) -> Finder:
    """Return the function by which this process finds links."""
    services = global_conf["services"]
    return lambda call: services.data.run(call)
