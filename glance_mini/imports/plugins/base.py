"""What an import plugin is: one class, named by an entry point of the group ``glance_mini.image_imports.plugins``."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from oslo_config import cfg

from glance_mini.domain.image import Image

NAMESPACE = "glance_mini.image_imports.plugins"

Check = Callable[[], None]
"""Returns while the work may go on and raises to stop it. Cheap: call it for every block."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """The data of an import in a local file, and what its image is by now.

    ``path`` is never changed. ``directory`` takes new files and is used by this attempt at the import alone: a worker
    that lost its job may still be writing in its own. ``limit`` is the largest size in bytes of a new file.
    """

    path: Path
    directory: Path
    image: Image
    limit: int

    def output(self, plugin: "ImportPlugin") -> Path:
        """Return where ``plugin`` writes the one file that it may make; there is none yet."""
        return self.directory / plugin.name


@dataclass(frozen=True, slots=True)
class PluginResult:
    """The file with the data from here on, and what changes of the image.

    ``attributes`` are fields of ``Image`` (disk_format, container_format, size, virtual_size), ``properties`` custom
    ones.
    """

    path: Path
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


class ImportPlugin:
    """Base of all import plugins. One object serves all imports; state of an import stays in locals."""

    name: ClassVar[str]
    activity: ClassVar[str] = ""
    """What the task says while the plugin works, where that takes long."""

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the plugin as configured; raises ConfigurationError where that cannot be."""
        return cls()

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        """Return what becomes of ``staged``; ``roles`` are the caller's, in lower case.

        May be called again for the same image after a crash. Where it raises, and ``check`` may, it leaves no file of
        its own. Errors that may pass are raised as they are; Invalid, UnsafeContent and LimitExceeded end the import.
        """
        raise NotImplementedError
