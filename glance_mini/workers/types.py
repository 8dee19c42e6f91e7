"""Loads the types of job, once, at start: everything that is installed under ``glance_mini.jobs``.

Loading fails closed: a type of job that is silently missing is work that is never done.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from oslo_config import cfg
from stevedore.extension import ExtensionManager

from glance_mini.db.job_interface import JobAccess
from glance_mini.domain.errors import ConfigurationError
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.workers.base import NAMESPACE, JobType


def load_job_types(conf: cfg.ConfigOpts, services: Services, stack: Stack, jobs: JobAccess) -> Mapping[str, JobType]:
    """Return the installed types of job by kind; raises ConfigurationError."""
    manager = ExtensionManager(NAMESPACE, on_load_failure_callback=_refuse_failure)
    return build_job_types(manager, conf, services, stack, jobs)


def build_job_types(
    extensions: Iterable[Any], conf: cfg.ConfigOpts, services: Services, stack: Stack, jobs: JobAccess
) -> Mapping[str, JobType]:
    """Return the types of job by kind that ``extensions`` of stevedore bring; raises ConfigurationError."""
    found = list(extensions)
    count = Counter(extension.name for extension in found)
    for extension in found:
        where = f"Job type {extension.name} ({extension.entry_point_target})"
        if count[extension.name] > 1:
            raise ConfigurationError(reason=f"{where} is installed more than once.")
        if not (isinstance(extension.plugin, type) and issubclass(extension.plugin, JobType)):
            raise ConfigurationError(reason=f"{where} is no subclass of glance_mini.workers.base.JobType.")
        if extension.plugin.kind != extension.name:
            raise ConfigurationError(reason=f"{where} calls itself {extension.plugin.kind}.")
    return {extension.name: _build(extension, conf, services, stack, jobs) for extension in found}


def _build(extension: Any, conf: cfg.ConfigOpts, services: Services, stack: Stack, jobs: JobAccess) -> JobType:
    try:
        built: JobType = extension.plugin.from_config(conf, services, stack, jobs)
    except ConfigurationError:
        raise
    except Exception as error:
        where = f"Job type {extension.name} ({extension.entry_point_target})"
        raise ConfigurationError(reason=f"{where} could not be built: {error!r}") from error
    return built


def _refuse_failure(manager: object, entry_point: EntryPoint, error: Exception) -> None:
    raise ConfigurationError(
        reason=f"Job type {entry_point.name} ({entry_point.value}) could not be loaded: {error!r}"
    ) from error
