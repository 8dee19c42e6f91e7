"""The import plugin ``no_op``, which changes nothing; for tests of the configuration."""

from collections.abc import Collection

from glance_mini.imports.plugins.base import Check, ImportPlugin, PluginResult, StagedFile


class NoOp(ImportPlugin):
    """Returns its input unchanged."""

    name = "no_op"

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        return PluginResult(staged.path)
