"""What the configuration files of a Glance say about its database and its stores."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from glance_mini import conf as configuration
from glance_mini.conf.lines import normalized, read_lines
from glance_mini.domain.errors import ConfigurationError
from glance_mini.migration.encryption import LocationCipher
from glance_mini_store.settings import DEFAULTS_GROUP, MAIN_GROUP, register_opts

_KEY = cfg.StrOpt("metadata_encryption_key", secret=True)
_OPTIONS_OF_ALL = {"DEFAULT": ("enabled_backends",)}


@dataclass(frozen=True)
class GlanceConfig:
    """What a migration needs of a Glance: ``stores`` maps its store ids to drivers, ``store_lines`` configures them.

    ``connection`` is the URL of its database, ``cipher`` None if its locations are plain.
    """

    connection: str
    cipher: LocationCipher | None
    stores: dict[str, str]
    store_lines: tuple[str, ...]


def read_glance_config(files: Sequence[Path]) -> GlanceConfig:
    """Return what ``files`` say, the later ones first; raises ConfigurationError, and oslo.config's for bad files."""
    conf = configuration.load(files=files)
    conf.register_opt(_KEY)
    register_opts(conf)
    if not conf.database.connection:
        raise ConfigurationError(reason=f"[database] connection is not set in {', '.join(map(str, files))}.")
    several = conf.enabled_backends
    stores: dict[str, str] = dict(several) if several else {name: name for name in conf[MAIN_GROUP].stores}
    return GlanceConfig(
        connection=conf.database.connection,
        cipher=LocationCipher(conf.metadata_encryption_key) if conf.metadata_encryption_key else None,
        stores=stores,
        store_lines=tuple(_store_lines(conf, stores)),
    )


def write_store_lines(lines: Sequence[str], path: Path) -> None:
    """Write ``lines`` to a new file that only its owner can read; raises OSError, also if the file exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _store_lines(conf: cfg.ConfigOpts, stores: dict[str, str]) -> Iterator[str]:
    """Yield the lines that configure the stores, a section at a time; secrets are among them."""
    wanted = {normalized(section): section for section in ("DEFAULT", MAIN_GROUP, DEFAULTS_GROUP, *stores)}
    found: dict[str, list[str]] = {section: [] for section in wanted}
    for line in read_lines(conf):
        if line.name is None or line.section not in wanted:
            continue
        if line.name in _OPTIONS_OF_ALL.get(line.section, (line.name,)):
            found[line.section].append(f"{line.name} = {line.value.replace(chr(10), f'{chr(10)}    ')}")
    for section, lines in found.items():
        if lines:
            yield f"[{wanted[section]}]"
            yield from lines
            yield ""
