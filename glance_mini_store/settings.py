"""The options of the stores, and the lookup of their values.

A value comes from the store's group, else from ``[backend_defaults]``, else it is the default. Options are registered
on the given configuration; this module holds no state.
"""

import contextlib
from collections.abc import Iterable
from types import SimpleNamespace

from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.lists import ListOpt

MAIN_GROUP = "glance_store"
DEFAULTS_GROUP = "backend_defaults"

DEFAULT_GROUP_OPTIONS = (
    cfg.DictOpt(
        "enabled_backends",
        help="The stores as id:driver, for example fast:file,cheap:file. Each has a group of that name. "
        "Unset: one store for each driver in [glance_store] stores.",
    ),
)

MAIN_OPTIONS = (
    cfg.StrOpt("default_backend", help="Id of the store for new data, if enabled_backends is set."),
    ListOpt("stores", default=["file", "http"], help="Drivers to use, if enabled_backends is not set."),
    cfg.StrOpt("default_store", default="file", help="Driver for new data, if enabled_backends is not set."),
)

STORE_OPTIONS = (
    cfg.StrOpt("store_description", help="What users see about this store in the list of stores."),
    cfg.IntOpt("weight", default=0, help="Data is read first from the store with the highest weight."),
    cfg.BoolOpt(
        "optional",
        default=False,
        help="If this store cannot be set up at start, list it as unavailable instead of stopping.",
    ),
)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options that list the stores; the options of each store come from its driver.

    An option that the program has registered itself stays.
    """
    for option in DEFAULT_GROUP_OPTIONS:
        _register(conf, option, None)
    for option in MAIN_OPTIONS:
        _register(conf, option, MAIN_GROUP)


def resolve(conf: cfg.ConfigOpts, group: str, options: Iterable[cfg.Opt]) -> SimpleNamespace:
    """Return an object with the value of each of ``options`` for the store whose group is ``group``.

    A value set in ``group`` wins over one set in ``[backend_defaults]``, which wins over the default. Raises
    BadStoreConfiguration for a value of the wrong type.
    """
    values = SimpleNamespace()
    for option in options:
        conf.register_opt(option, group=group)
        # Drivers of other authors may have an option of the same name, with another help or type.
        _register(conf, option, DEFAULTS_GROUP)
        try:
            setattr(values, option.dest, _value(conf, option, group))
        except (cfg.Error, ValueError) as error:
            reason = "the value cannot be used" if option.secret else str(error)
            raise errors.BadStoreConfiguration(option=option.name, reason=reason) from error
    return values


def _register(conf: cfg.ConfigOpts, option: cfg.Opt, group: str | None) -> None:
    with contextlib.suppress(cfg.DuplicateOptError):
        conf.register_opt(option, group=group)


def _value(conf: cfg.ConfigOpts, option: cfg.Opt, group: str) -> object:
    if not _is_set(conf, option, group) and _is_set(conf, option, DEFAULTS_GROUP):
        return conf[DEFAULTS_GROUP][option.dest]
    return conf[group][option.dest]


def _is_set(conf: cfg.ConfigOpts, option: cfg.Opt, group: str) -> bool:
    found = conf.get_location(option.dest, group)
    return found is not None and found.location is not cfg.Locations.opt_default
