"""What the filters are built from, as the composition of the application hands it through PasteDeploy."""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from glance_mini.policies.enforcer import Enforcer


def conf_and_enforcer(global_conf: Mapping[str, Any]) -> tuple[cfg.ConfigOpts, Enforcer]:
    """Return the configuration and the policy rules of this process."""
    return global_conf["conf"], global_conf["services"].enforcer
