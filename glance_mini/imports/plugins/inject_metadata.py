"""The import plugin ``inject_image_metadata``: adds the operator's properties to imported images."""

from collections.abc import Collection, Mapping
from typing import Self

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.image import is_internal
from glance_mini.imports.plugins.base import Check, ImportPlugin, PluginResult, StagedFile


class InjectMetadata(ImportPlugin):
    """Adds ``properties`` unless the caller has one of ``ignored_roles``."""

    name = "inject_image_metadata"

    def __init__(self, properties: Mapping[str, str], ignored_roles: Collection[str]) -> None:
        self._properties = dict(properties)
        self._ignored_roles = frozenset(role.lower() for role in ignored_roles)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        group = conf.inject_metadata_properties
        for name in group.inject:
            if is_internal(name):
                raise ConfigurationError(reason=f"[inject_metadata_properties] inject: '{name}' is reserved.")
        return cls(group.inject, group.ignore_user_roles)

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        if self._ignored_roles.intersection(roles):
            return PluginResult(staged.path)
        return PluginResult(staged.path, properties=self._properties)
