"""Finds drivers by the name of their entry point; fails closed."""

from importlib.metadata import entry_points

from oslo_config import cfg
from stevedore import DriverManager, ExtensionManager
from stevedore.exception import NoMatches

from glance_mini_store import errors
from glance_mini_store.driver import CONTRACT, Driver
from glance_mini_store.settings import (
    DEFAULT_GROUP_OPTIONS,
    DEFAULTS_GROUP,
    MAIN_GROUP,
    MAIN_OPTIONS,
    STORE_OPTIONS,
)

NAMESPACE = "glance_mini_store.drivers"
"""The entry-point group of store drivers."""

FOREIGN = "glance_store."
"""What the names of drivers that were written for that library begin with."""


def load_driver(name: str) -> type[Driver]:
    """Return the driver class installed as ``name``.

    ``glance_store.NAME`` is a driver that was written for that library. Raises DriverLoadFailure, also for a driver of
    another contract.
    """
    if name.startswith(FOREIGN):
        from glance_mini_store.drivers.foreign import load_foreign

        return load_foreign(name.removeprefix(FOREIGN), name)
    try:
        found: object = DriverManager(NAMESPACE, name, warn_on_missing_entrypoint=False).driver
    except NoMatches as error:
        installed = ", ".join(sorted(entry.name for entry in entry_points(group=NAMESPACE)))
        reason = f"no installed package offers it as {NAMESPACE}; there are {installed}"
        raise errors.DriverLoadFailure(driver=name, reason=reason) from error
    except Exception as error:
        raise errors.DriverLoadFailure(driver=name, reason=f"{type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise errors.DriverLoadFailure(driver=name, reason=f"{found!r} is not a subclass of {Driver.__name__}")
    if found.contract != CONTRACT:
        reason = f"it is for driver contract {found.contract}; this release supports {CONTRACT}"
        raise errors.DriverLoadFailure(driver=name, reason=reason)
    return found


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Return all options by group, including those of every installed driver, for oslo.config's generators."""
    drivers = [extension.plugin for extension in sorted(ExtensionManager(NAMESPACE), key=lambda each: each.name)]
    of_drivers = [option for driver in drivers for option in driver.options]
    return [
        (None, list(DEFAULT_GROUP_OPTIONS)),
        (MAIN_GROUP, [*MAIN_OPTIONS, *of_drivers]),
        (DEFAULTS_GROUP, [*STORE_OPTIONS, *of_drivers]),
    ]
