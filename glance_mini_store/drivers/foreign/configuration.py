"""The options of foreign drivers: which there are, and a configuration of its own for each store.

A foreign driver reads a whole configuration. It gets one that has its own options and nothing else of the service.
"""

import re
from collections.abc import Iterable, Sequence
from copy import copy
from types import SimpleNamespace

from oslo_config import cfg

from glance_mini_store.settings import DEFAULT_GROUP_OPTIONS, DEFAULTS_GROUP, MAIN_GROUP, MAIN_OPTIONS, STORE_OPTIONS

_SECRET = re.compile(r"(^|_)(key|pass|passwd|password|secret|token)(_|$)")


def declared(options: Iterable[cfg.Opt] | None) -> tuple[cfg.Opt, ...]:
    """Return the options of a driver without those that every store has; those that hold a secret are marked so."""
    common = {option.dest for option in STORE_OPTIONS}
    return tuple(_hidden(option) for option in options or () if option.dest not in common)


def private_configuration(store_id: str, options: Sequence[cfg.Opt], settings: SimpleNamespace) -> cfg.ConfigOpts:
    """Return a configuration in which the group ``store_id`` has ``options`` with the values in ``settings``."""
    conf = cfg.ConfigOpts()
    conf([], project="glance_mini_store", default_config_files=[], default_config_dirs=[])
    conf.register_opts(DEFAULT_GROUP_OPTIONS)
    conf.register_opts(MAIN_OPTIONS, group=MAIN_GROUP)
    conf.set_override("enabled_backends", {store_id: store_id})
    conf.set_override("default_backend", store_id, group=MAIN_GROUP)
    for group in (store_id, DEFAULTS_GROUP):
        conf.register_opts(options, group=group)
    for option in options:
        value = getattr(settings, option.dest, option.default)
        if value != option.default:
            conf.set_override(option.dest, value, group=store_id)
    return conf


def secret_values(options: Iterable[cfg.Opt], settings: SimpleNamespace) -> list[str]:
    """Return the values of all secret options that are set."""
    values = (getattr(settings, option.dest, None) for option in options if option.secret)
    return [str(value) for value in values if value]


def _hidden(option: cfg.Opt) -> cfg.Opt:
    if option.secret or not _SECRET.search(option.dest) or not isinstance(option, cfg.StrOpt):
        return option
    option = copy(option)
    option.secret = True
    return option
