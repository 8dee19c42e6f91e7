"""The configured plugins: loaded once, at start, and run in their order for each import."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from oslo_config import cfg
from stevedore.named import NamedExtensionManager

from glance_mini.domain.errors import ConfigurationError
from glance_mini.imports.plugins.base import NAMESPACE, Check, ImportPlugin, PluginResult, StagedFile


def load_plugins(conf: cfg.ConfigOpts) -> tuple[ImportPlugin, ...]:
    """Return the plugins that ``image_import_plugins`` names, in that order; raises ConfigurationError."""
    names = conf.image_import_opts.image_import_plugins
    if len(set(names)) < len(names):
        raise ConfigurationError(reason="[image_import_opts] image_import_plugins names a plugin more than once.")
    manager = NamedExtensionManager(
        NAMESPACE,
        names,
        name_order=True,
        on_load_failure_callback=_refuse_failure,
        on_missing_entrypoints_callback=_refuse_missing,
    )
    return tuple(_build(extension, conf) for extension in manager)


def _build(extension: Any, conf: cfg.ConfigOpts) -> ImportPlugin:
    where = f"Import plugin {extension.name} ({extension.entry_point_target})"
    if not (isinstance(extension.plugin, type) and issubclass(extension.plugin, ImportPlugin)):
        raise ConfigurationError(reason=f"{where} is no subclass of glance_mini.imports.plugins.base.ImportPlugin.")
    try:
        return extension.plugin.from_config(conf)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(reason=f"{where} could not be built: {error!r}") from error


def _refuse_failure(manager: object, entry_point: EntryPoint, error: Exception) -> None:
    raise ConfigurationError(
        reason=f"Import plugin {entry_point.name} ({entry_point.value}) could not be loaded: {error!r}"
    ) from error


def _refuse_missing(names: set[str]) -> None:
    raise ConfigurationError(reason=f"There is no import plugin {', '.join(sorted(names))}.")


def run_plugins(
    plugins: Sequence[ImportPlugin], staged: StagedFile, roles: Collection[str], check: Check
) -> PluginResult:
    """Return the file and all changes that ``plugins`` make, one after the other.

    Files between are removed as soon as the next one is there; ``staged.path`` never is. Raises what a plugin raises,
    and then leaves no file of theirs.
    """
    result = PluginResult(staged.path)
    for plugin in plugins:
        check()
        current = replace(staged, path=result.path, image=_changed(staged, result))
        try:
            step = plugin.apply(current, roles, check)
        except BaseException:
            _forget(staged, result.path)
            raise
        if step.path != result.path:
            _forget(staged, result.path)
        attributes, properties = {**result.attributes, **step.attributes}, {**result.properties, **step.properties}
        result = PluginResult(step.path, attributes, properties)
    return result


def _changed(staged: StagedFile, result: PluginResult) -> Any:
    properties = {**staged.image.properties, **result.properties}
    attributes: dict[str, Any] = {**result.attributes, "properties": properties}
    return replace(staged.image, **attributes)


def _forget(staged: StagedFile, path: Path) -> None:
    if path != staged.path:
        path.unlink(missing_ok=True)
