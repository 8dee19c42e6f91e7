"""The import plugin ``no_op``, which changes nothing: for trying the configuration."""

from collections.abc import Collection

from glance_mini.imports.plugins.base import Check, ImportPlugin, PluginResult, StagedFile


class NoOp(ImportPlugin):
    """Returns what it was given."""

    name = "no_op"

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        return PluginResult(staged.path)
