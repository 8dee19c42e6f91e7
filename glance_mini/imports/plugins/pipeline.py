"""The configured plugins: loaded once at start and run in their order for each import."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from oslo_config import cfg

from glance_mini.domain.image import Image
from glance_mini.imports.plugins.base import NAMESPACE, Attributes, Check, ImportPlugin, PluginResult, StagedFile
from glance_mini.plugins import PluginKind

PLUGINS = PluginKind("Import plugin", NAMESPACE, ImportPlugin)


def load_plugins(conf: cfg.ConfigOpts) -> tuple[ImportPlugin, ...]:
    """Return the plugins that ``image_import_plugins`` names, in that order; raises ConfigurationError."""
    names = conf.image_import_opts.image_import_plugins
    classes = PLUGINS.load(names, "[image_import_opts] image_import_plugins")
    return tuple(PLUGINS.build(classes, lambda plugin: plugin.from_config(conf)).values())


def run_plugins(
    plugins: Sequence[ImportPlugin],
    staged: StagedFile,
    roles: Collection[str],
    check: Check,
    report: Callable[[str], object] = lambda activity: None,
) -> PluginResult:
    """Run ``plugins`` one after the other; return the resulting file and all changes.

    An intermediate file is removed as soon as the next one exists; ``staged.path`` is kept. Raises what a plugin
    raises, and then leaves no file of the plugins. ``report`` is called with the activity of each plugin that has one.
    """
    result = PluginResult(staged.path)
    for plugin in plugins:
        check()
        if plugin.activity:
            report(plugin.activity)
        current = replace(staged, path=result.path, image=_changed(staged, result))
        try:
            step = plugin.apply(current, roles, check)
        except BaseException:
            _forget(staged, result.path)
            raise
        if step.path != result.path:
            _forget(staged, result.path)
        attributes: Attributes = {**result.attributes, **step.attributes}
        properties = {**result.properties, **step.properties}
        result = PluginResult(step.path, attributes, properties)
    return result


def _changed(staged: StagedFile, result: PluginResult) -> Image:
    properties = {**staged.image.properties, **result.properties}
    return replace(staged.image, properties=properties, **result.attributes)


def _forget(staged: StagedFile, path: Path) -> None:
    if path != staged.path:
        path.unlink(missing_ok=True)
