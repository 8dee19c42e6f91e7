"""The objects that filters are built from; ``bootstrap`` passes them through PasteDeploy.

A filter with a thread adds it to ``parts``, which has ``start`` and ``close``.
"""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from glance_mini.policies.enforcer import Enforcer


def conf_and_enforcer(global_conf: Mapping[str, Any]) -> tuple[cfg.ConfigOpts, Enforcer]:
    """Return the configuration and the policy rules of this process."""
    return global_conf["conf"], global_conf["services"].enforcer
