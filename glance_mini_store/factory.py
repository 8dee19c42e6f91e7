"""Creates the stores of a configuration; ``stores`` uses it at start, and when the configuration has changed.

It fails closed: if a store cannot be set up, the start fails with a message that names store, driver and option,
unless its group has ``optional = true``.
"""

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.driver import Driver
from glance_mini_store.loading import load_driver
from glance_mini_store.settings import DEFAULTS_GROUP, MAIN_GROUP, STORE_OPTIONS, register_opts, resolve
from glance_mini_store.store import Held, Store
from glance_mini_store.unavailable import UnavailableDriver
from glance_mini_store.web.target import AddressJudge

LOG = logging.getLogger(__name__)

RESERVED_PREFIX = "os_glance_"
"""Ids with this prefix belong to the service itself."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TAKEN = ("DEFAULT", MAIN_GROUP, DEFAULTS_GROUP)


def assemble(
    conf: cfg.ConfigOpts,
    reserved: Mapping[str, str],
    judge: AddressJudge | None = None,
    known: Mapping[str, Store] = MappingProxyType({}),
    *,
    buffers: Buffers | None = None,
    needs_default: bool = True,
) -> tuple[list[Store], bool]:
    """Return the stores, checked and ready, and whether they are configured by id.

    ``reserved`` adds stores as id → driver. ``judge`` checks the addresses that are read for users; None allows any.
    ``buffers`` is the budget of all drivers; None: each has its own. A store with the same settings as one of the
    ``known`` uses its driver. ``needs_default`` False: a missing default store is no error. Raises
    BadStoreConfiguration, DriverLoadFailure, or what the check of a driver raised; then no store is left open.
    """
    register_opts(conf)
    stores: list[Store] = []
    try:
        fit = partial(_fit, judge=judge, buffers=buffers)
        return stores, _add_all(conf, reserved, stores, fit, known, needs_default=needs_default)
    except BaseException:
        kept = {store.held for store in known.values()}
        for store in stores:
            if store.held not in kept:
                store.close()
        raise


def _add_all(
    conf: cfg.ConfigOpts,
    reserved: Mapping[str, str],
    stores: list[Store],
    fit: Callable[[Driver], None],
    known: Mapping[str, Store],
    *,
    needs_default: bool,
) -> bool:
    """Add every store to ``stores`` and return whether several stores are configured by id."""
    main = conf[MAIN_GROUP]
    multi = bool(conf.enabled_backends)
    wanted = dict(conf.enabled_backends) if multi else {name: name for name in main.stores}
    default = _default_id(main.default_backend if multi else main.default_store, wanted, multi, needed=needs_default)
    for store_id in wanted:
        _check_id(store_id)
    for store_id, driver in {**wanted, **reserved}.items():
        group = store_id if multi or store_id in reserved else MAIN_GROUP
        stores.append(
            _store(
                conf,
                group,
                store_id,
                driver,
                default=default,
                reserved=store_id in reserved,
                fit=fit,
                known=known.get(store_id),
            )
        )
    return multi


def _store(
    conf: cfg.ConfigOpts,
    group: str,
    store_id: str,
    driver: str,
    *,
    default: str | None,
    reserved: bool,
    fit: Callable[[Driver], None],
    known: Store | None,
) -> Store:
    """Return one store; errors get its id and its driver."""
    is_default = store_id == default
    try:
        common = resolve(conf, group, STORE_OPTIONS)
        optional = common.optional and not is_default
        held, reason = _driver(conf, group, store_id, driver, optional=optional, fit=fit, known=known)
        return Store(
            held.driver,
            store_id,
            weight=common.weight,
            description=common.store_description,
            is_default=is_default,
            reserved=reserved,
            reason=reason,
            held=held,
        )
    except errors.StoreError as error:
        error.store = f"{store_id} (driver {driver})"
        raise


def _driver(
    conf: cfg.ConfigOpts,
    group: str,
    store_id: str,
    name: str,
    *,
    optional: bool,
    fit: Callable[[Driver], None],
    known: Store | None,
) -> tuple[Held, str | None]:
    """Return the driver, or a substitute with the reason if the store is optional and cannot be set up."""
    found: type[Driver] | Driver | None = None
    try:
        found = driver_class = load_driver(name)
        settings = resolve(conf, group, driver_class.options)
        if known is not None and known.available and known.held.settings == (name, settings):
            return known.held, None
        found = driver = driver_class.from_config(settings, store_id)
        fit(driver)
        driver.check()
        return Held(driver, (name, settings)), None
    except errors.StoreError as error:
        if not optional:
            raise
        LOG.error("optional store %s (driver %s) is unavailable: %s", store_id, name, error)
        # Drivers that were written for another library know their schemes only when they are made.
        schemes = found.schemes if found else ()
        if isinstance(found, Driver):
            found.close()
        return Held(UnavailableDriver(name, schemes, str(error))), str(error)


def _fit(driver: Driver, judge: AddressJudge | None, buffers: Buffers | None) -> None:
    if judge is not None:
        driver.guard(judge)
    if buffers is not None:
        driver.use_buffers(buffers)


def _default_id(default: str | None, wanted: Mapping[str, str], multi: bool, *, needed: bool) -> str | None:
    option = "default_backend" if multi else "default_store"
    if default is None and len(wanted) == 1:
        return next(iter(wanted))
    if default not in wanted:
        if not needed:
            return None
        reason = f"{default!r} is not one of the configured stores {', '.join(wanted)}"
        raise errors.BadStoreConfiguration(option=f"{MAIN_GROUP}/{option}", reason=reason)
    return default


def _check_id(store_id: str) -> None:
    if store_id.startswith(RESERVED_PREFIX) or store_id in _TAKEN or not _ID.fullmatch(store_id):
        raise errors.BadStoreConfiguration(
            option="enabled_backends",
            reason=f"{store_id!r} is reserved or malformed, so it cannot be a store id",
        )
