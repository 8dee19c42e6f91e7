"""Checks the configuration before the service starts, with one message for all errors.

The modules that read the files which options name check these files.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from glance_mini.conf import MODULES
from glance_mini.conf.database import has_database
from glance_mini.conf.image_cache import CENTRALIZED_DB, is_central
from glance_mini.conf.logins import missing_logins
from glance_mini.conf.paste_deploy import NO_AUTHENTICATION, authentication, cache_suffix
from glance_mini.conf.server import host_and_port, is_loopback
from glance_mini.conf.staging import staging_directory
from glance_mini.conf.unknown import find_unknown
from glance_mini.domain.cache_rules import parse_rule
from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.units import parse_size

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """A sentence for each thing that stops the start, and for each that is only warned about."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def examine(conf: cfg.ConfigOpts) -> Findings:
    """Return what is wrong with ``conf``."""
    problems = list(unusable_values(conf))
    if problems:
        is_strict = True
    else:
        is_strict = conf.strict_config
        problems += [problem for find in _RULES for problem in find(conf)]
    try:
        unknown = find_unknown(conf)
    except ConfigurationError as error:
        return Findings((*problems, str(error)), ())
    warnings = () if is_strict else unknown.wrong
    if not problems and not has_database(conf) and conf.database.connection:
        warnings += (
            "[database] connection is not used with data_access = registry; without it this node holds no "
            "credentials of the database",
        )
    if unknown.ignored:
        warnings += (f"These settings have no effect here: {', '.join(unknown.ignored)}",)
    return Findings((*problems, *(unknown.wrong if is_strict else ())), warnings)


def validate(conf: cfg.ConfigOpts) -> None:
    """Check that the service can start with ``conf``; raises ConfigurationError, which names all that is wrong."""
    refuse(examine(conf).problems)


def validate_registry(conf: cfg.ConfigOpts) -> None:
    """Check that a registry can start with ``conf``, and log the warnings; raises ConfigurationError."""
    validate_start(conf)
    refuse(tuple(_registry_service(conf)))


def validate_start(conf: cfg.ConfigOpts) -> None:
    """Do the same for a process that starts, and log the warnings."""
    findings = examine(conf)
    for warning in findings.warnings:
        LOG.warning(warning)
    refuse(findings.problems)


def refuse(problems: Sequence[str]) -> None:
    """Raise ConfigurationError if there are problems: one in the line of the message, several in lines below it."""
    if problems:
        text = f" {problems[0]}" if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)
        raise ConfigurationError(reason=f"The configuration is wrong:{text}")


def unusable_values(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Yield a sentence for each value that is not of the type of its option."""
    for module in MODULES:
        group = module.GROUP.name if module.GROUP else "DEFAULT"
        values = conf if module.GROUP is None else conf[group]
        for opt in module.OPTS:
            try:
                values[opt.dest]
            except ValueError as error:
                yield f"[{group}] {opt.name}: {error.__context__ or error}"


def _storage_quota(conf: cfg.ConfigOpts) -> Iterator[str]:
    try:
        parse_size(conf.user_storage_quota)
    except ValueError as error:
        yield f"[DEFAULT] user_storage_quota: {error}"


def _hashing_algorithm(conf: cfg.ConfigOpts) -> Iterator[str]:
    name = conf.hashing_algorithm
    try:
        fixed_length = hashlib.new(name, usedforsecurity=False).digest_size > 0
    except ValueError:
        yield f"[DEFAULT] hashing_algorithm: this Python knows no algorithm '{name}'"
    else:
        if not fixed_length:
            yield f"[DEFAULT] hashing_algorithm: the digest of '{name}' has no fixed length"


def _staging(conf: cfg.ConfigOpts) -> Iterator[str]:
    try:
        staging_directory(conf)
    except ValueError as error:
        yield f"[DEFAULT] node_staging_uri: {error}"


def _formats(conf: cfg.ConfigOpts) -> Iterator[str]:
    for name in ("container_formats", "disk_formats"):
        if not conf.image_format[name]:
            yield f"[image_format] {name}: at least one format is needed"


def _address(conf: cfg.ConfigOpts) -> Iterator[str]:
    try:
        host, _ = host_and_port(conf.server.bind)
    except ValueError as error:
        yield f"[server] bind: {error}"
    else:
        if authentication(conf) == NO_AUTHENTICATION and not is_loopback(host):
            yield (
                f"[server] bind: '{conf.server.bind}' can be reached from outside, and with [paste_deploy] "
                f"flavor '{NO_AUTHENTICATION}' every caller would be an administrator"
            )


def _tls(conf: cfg.ConfigOpts) -> Iterator[str]:
    if bool(conf.server.tls_certificate) != bool(conf.server.tls_key):
        yield "[server] tls_certificate and tls_key: both must be set"
        return
    for name, content in (("tls_certificate", "CERTIFICATE"), ("tls_key", "PRIVATE KEY")):
        path = conf.server[name]
        try:
            if path and f"{content}-----".encode() not in Path(path).read_bytes():
                yield f"[server] {name}: {path} holds no {content.lower()} in PEM"
        except OSError as error:
            yield f"[server] {name}: {path} cannot be read: {error.strerror}"


def _registry_service(conf: cfg.ConfigOpts) -> Iterator[str]:
    service = conf.registry_service
    for name in ("certificate", "key", "client_ca"):
        if not service[name]:
            yield f"[registry_service] {name} is not set"
    try:
        host_and_port(service.bind)
    except ValueError as error:
        yield f"[registry_service] bind: {error}"
    if not has_database(conf):
        yield "[database] data_access: a registry needs the database itself, and not another registry"


def _transfers(conf: cfg.ConfigOpts) -> Iterator[str]:
    if conf.server.max_transfers >= conf.server.threads:
        yield (
            f"[server] max_transfers: {conf.server.max_transfers} transfers would take all of the "
            f"{conf.server.threads} threads; leave some for small requests"
        )


def _flavor(conf: cfg.ConfigOpts) -> Iterator[str]:
    if not authentication(conf):
        yield f"[paste_deploy] flavor: must be named; '{NO_AUTHENTICATION}' is the one without authentication"


def _import_methods(conf: cfg.ConfigOpts) -> Iterator[str]:
    names = conf.enabled_import_methods
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"[DEFAULT] enabled_import_methods: '{name}' is named more than once"


def _priorities(conf: cfg.ConfigOpts) -> Iterator[str]:
    for kind, priority in conf.workers.priorities.items():
        try:
            int(priority)
        except ValueError:
            yield f"[workers] priorities: '{priority}' for {kind} is not a number"


def _cache(conf: cfg.ConfigOpts) -> Iterator[str]:
    asked_for = cache_suffix(conf)
    if asked_for and not conf.image_cache_dir:
        yield f"[DEFAULT] image_cache_dir: must be set, because [paste_deploy] flavor ends with '{asked_for}'"
    if not conf.image_cache_dir:
        return
    if is_central(conf) and not conf.worker_self_reference_url:
        yield (
            f"[DEFAULT] image_cache_driver: '{CENTRALIZED_DB}' needs worker_self_reference_url, the name of this node "
            "in the database; 'sqlite' keeps the records on this node"
        )
    for text in conf.cache.prefetch:
        try:
            parse_rule(text)
        except ValueError as error:
            yield f"[cache] prefetch: {error}"


_RULES: tuple[Callable[[cfg.ConfigOpts], Iterator[str]], ...] = (
    _storage_quota,
    _hashing_algorithm,
    _staging,
    _formats,
    _flavor,
    _address,
    _tls,
    _transfers,
    _import_methods,
    _priorities,
    _cache,
    missing_logins,
)
