"""The configuration: all options by group or theme, and how they are read and checked.

An import registers nothing; ``load`` makes a ``ConfigOpts``, which is passed on as an argument.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg

from glance_mini.conf import (
    api,
    authentication,
    cache,
    database,
    deletion,
    direct_access,
    domain,
    events,
    glance_download,
    identity,
    image_cache,
    image_conversion,
    image_decompression,
    image_format,
    image_import,
    images,
    import_filtering,
    incremental,
    inject_metadata,
    metadef_files,
    metadefs,
    notifications,
    paste_deploy,
    property_protection,
    publisher,
    quota,
    registry,
    registry_service,
    server,
    staging,
    state,
    strict,
    task,
    transfers,
    uploads,
    verify,
    web_download,
    workers,
)
from glance_mini_store.lists import with_brackets

PROJECT = "glance-mini"
FILE_NAME = "glance-mini.conf"
SYSTEM_FILE = Path("/etc/glance-mini") / FILE_NAME

MODULES = (
    state,
    strict,
    api,
    images,
    staging,
    deletion,
    quota,
    metadefs,
    metadef_files,
    property_protection,
    publisher,
    server,
    paste_deploy,
    authentication,
    identity,
    database,
    registry,
    registry_service,
    domain,
    transfers,
    uploads,
    direct_access,
    image_cache,
    cache,
    workers,
    task,
    notifications,
    events,
    image_format,
    image_import,
    import_filtering,
    web_download,
    glance_download,
    inject_metadata,
    image_decompression,
    image_conversion,
    incremental,
    verify,
)
"""The modules with options, in the order of the sample file."""


class Configuration(cfg.ConfigOpts):
    """A configuration in which all lists may stand in square brackets, also those of oslo and keystonemiddleware."""

    def register_opt(self, opt: cfg.Opt, *args: object, **settings: object) -> bool:
        """Register ``opt``; the further arguments are those of oslo.config."""
        return bool(super().register_opt(with_brackets(opt), *args, **settings))


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register all options of the image service with ``conf``; may be repeated."""
    for module in MODULES:
        module.register(conf)


def list_opts() -> list[tuple[cfg.OptGroup | None, list[cfg.Opt]]]:
    """Return copies of all options by group, those of the stores included; None stands for [DEFAULT].

    Entry point of the group ``oslo.config.opts``, for oslo-config-generator.
    """
    from glance_mini_store.stores import list_opts as list_store_opts

    own = [(module.GROUP, module.OPTS) for module in MODULES]
    return copy.deepcopy([*own, *list_store_opts()])


def load(
    args: Sequence[str] = (),
    files: Sequence[str | Path] = (),
    state_directory: Path | None = None,
    system_file: Path = SYSTEM_FILE,
) -> cfg.ConfigOpts:
    """Return a new configuration from command line ``args`` and files.

    The files are those that ``args`` name by ``--config-file``, else ``files``, else ``glance-mini.conf`` in
    ``state_directory``, else ``system_file``; if there is none, all options have their defaults. Raises what
    oslo.config raises for a missing or malformed file. ``validation.validate`` checks the values.
    """
    from oslo_log import log

    conf = Configuration()
    log.register_options(conf)
    register_opts(conf)
    state_file = [state_directory / FILE_NAME] if state_directory else []
    found = list(files) or [file for file in [*state_file, system_file] if file.exists()][:1]
    conf(
        list(args),
        project=PROJECT,
        prog=PROJECT,
        default_config_files=[str(file) for file in found],
        default_config_dirs=[],
    )
    state.set_state_directory(conf, conf.config_file if args else found)
    return conf
