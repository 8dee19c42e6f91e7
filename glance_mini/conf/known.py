"""The options that a configuration may have: those of the service, its stores, its plugins and its libraries.

Plugins and libraries declare theirs by entry points of the group ``oslo.config.opts``. They are loaded only for a
configuration that needs them, because that imports the libraries.
"""

import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from oslo_config import cfg

from glance_mini.conf import MODULES
from glance_mini.conf.lines import Line, library_value, normalized
from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.staging import STAGING_STORE
from glance_mini_store.errors import StoreError
from glance_mini_store.loading import load_driver
from glance_mini_store.settings import (
    DEFAULT_GROUP_OPTIONS,
    DEFAULTS_GROUP,
    MAIN_GROUP,
    MAIN_OPTIONS,
    STORE_OPTIONS,
    register_opts,
)

LIBRARIES = (
    "oslo.log",
    "oslo.policy",
    "oslo.middleware.cors",
    "oslo.middleware.healthcheck",
    "oslo.middleware.http_proxy_to_wsgi",
    "oslo.limit",
    "oslo.messaging",
    "keystonemiddleware.auth_token",
    "castellan.config",
)
"""The entry points of the libraries that the service uses; some of them may not be installed."""

_DECLARATIONS = "oslo.config.opts"
_PLUGINS = ("glance_mini.", "glance_mini_store.")
"""How the names of the groups begin in which a package offers plugins."""

_LOGGED_IN = ("keystone_authtoken", "oslo_limit", "barbican_service_user")
"""The sections that hold the options of an authentication plugin of keystoneauth."""


class KnownOptions:
    """Options by section and name. Names of sections are as in ``Line``, names of options as in a file."""

    def __init__(self) -> None:
        self.options: dict[str, dict[str, cfg.Opt]] = defaultdict(dict)
        self.stores = {MAIN_GROUP, DEFAULTS_GROUP}
        """The sections in which the options of any driver may stand."""
        # oslo.config itself has one option that no code declares.
        self._former: dict[str, set[str]] = defaultdict(set, {"DEFAULT": {"config_source"}})
        self._free: set[str] = set()

    def add(self, section: str | cfg.OptGroup | None, options: Iterable[cfg.Opt]) -> None:
        """Add options, with their deprecated names; the first option of a name stays."""
        name = normalized(str(getattr(section, "name", section) or "DEFAULT"))
        for option in options:
            self.options[name].setdefault(option.dest, option)
            for group, former in former_names(name, option):
                self._former[group].add(former)

    def free(self, section: str) -> None:
        """Let any option stand in a section."""
        self._free.add(normalized(section))

    def has(self, line: Line) -> bool:
        """Return whether the section, or the option in it, is known."""
        names = self.names(line.section)
        return line.section in self._free or (line.name in names if line.name else bool(names))

    def sections(self) -> list[str]:
        """Return the sections that have options."""
        return [*self.options, *(self._former.keys() - self.options.keys())]

    def names(self, section: str) -> set[str]:
        """Return the options that may stand in a section."""
        return {*self.options.get(section, ()), *self._former.get(section, ())}


def former_names(section: str, option: cfg.Opt) -> list[tuple[str, str]]:
    """Return the deprecated names of an option of ``section``, as section and name."""
    return [(normalized(each.group or section), each.name or option.dest) for each in option.deprecated_opts]


def own_options(conf: cfg.ConfigOpts) -> KnownOptions:
    """Return the options of the service and of the stores that ``conf`` names."""
    known = KnownOptions()
    for module in MODULES:
        known.add(module.GROUP, module.OPTS)
    known.add(None, DEFAULT_GROUP_OPTIONS)
    known.add(MAIN_GROUP, MAIN_OPTIONS)
    for store, driver in _stores(conf):
        known.stores.add(normalized(store))
        try:
            options = load_driver(driver).options
            known.add(store, [*STORE_OPTIONS, *options])
            # Drivers of another library declare no options of their own.
            known.add(DEFAULTS_GROUP, options)
        except StoreError:
            # The start says what is wrong with it.
            known.free(store)
    return known


def known_options(conf: cfg.ConfigOpts, lines: Sequence[Line]) -> KnownOptions:
    """Return the options that ``conf`` may have, as far as ``lines`` need them; raises ConfigurationError.

    If anything in ``lines`` is unknown, all options are returned.
    """
    known = own_options(conf)
    for section in conf.config_source:
        known.free(section)
    for section in _LOGGED_IN:
        if section in {line.section for line in lines}:
            _add_authentication(known, section, lines)
    declarations = _declarations()
    while not all(known.has(line) for line in lines) and (declared := next(declarations, None)):
        for group, options in _load(declared):
            known.add(group, options)
    return known


def _stores(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str]]:
    """Yield the section and the driver of each store; what ``conf`` cannot say is left out."""
    register_opts(conf)
    try:
        several = conf.enabled_backends
        yield from several.items() if several else ((MAIN_GROUP, name) for name in conf[MAIN_GROUP].stores)
    except ValueError:
        pass
    yield STAGING_STORE, conf.staging_store_driver


def _declarations() -> Iterator[EntryPoint]:
    """Yield the entry points that declare options: those of the libraries, then those of packages with plugins."""
    groups = _installed(tuple(sys.path))
    declared = groups.get(_DECLARATIONS, ())
    yield from (entry for name in LIBRARIES for entry in declared if entry.name == name)
    plugins = (entry for group, entries in groups.items() if group.startswith(_PLUGINS) for entry in entries)
    packages = {entry.dist.name for entry in plugins if entry.dist}
    yield from (entry for entry in declared if entry.dist and entry.dist.name in packages)


@lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> dict[str, tuple[EntryPoint, ...]]:
    """Return what packages on ``path``, which is Python's, declare and offer to us, by group; that takes a while."""
    found = entry_points()
    wanted = [group for group in found.groups if group == _DECLARATIONS or group.startswith(_PLUGINS)]
    return {group: tuple(found.select(group=group)) for group in wanted}


def _load(declared: EntryPoint) -> list[tuple[str | cfg.OptGroup | None, list[cfg.Opt]]]:
    try:
        with warnings.catch_warnings(action="ignore"):
            listed: list[tuple[str | cfg.OptGroup | None, list[cfg.Opt]]] = list(declared.load()())
    except Exception as error:
        reason = f"The options of {declared.name} ({declared.value}) cannot be loaded: {error!r}"
        raise ConfigurationError(reason=reason) from error
    return listed


def _add_authentication(known: KnownOptions, section: str, lines: Sequence[Line]) -> None:
    """Add the options of the authentication plugin that a section names, which may be in another section."""
    from keystoneauth1 import loading
    from keystoneauth1.exceptions import NoMatchingPlugin

    known.add(section, loading.get_auth_common_conf_options())
    where = library_value(lines, section, "auth_section") or section
    known.add(where, [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options()])
    name = library_value(lines, where, "auth_type")
    try:
        known.add(where, loading.get_auth_plugin_conf_options(name) if name else ())
    except NoMatchingPlugin as error:
        raise ConfigurationError(reason=f"[{where}] auth_type: keystoneauth has no plugin '{name}'") from error
