"""The interface of import plugins: classes named by entry points of ``glance_mini.image_imports.plugins``."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self, TypedDict

from oslo_config import cfg

from glance_mini.domain.image import Image
from glance_mini_store.buffers import Buffers

NAMESPACE = "glance_mini.image_imports.plugins"

Check = Callable[[], None]
"""Returns while the work may continue and raises to stop it. Cheap: call it for every block."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """The data of an import in a local file, and the current state of its image.

    ``path`` must not be changed. ``directory`` is for new files and belongs to this attempt only, because a worker
    that lost the job may still be writing in its own directory. ``limit`` is the largest size in bytes of a new file.
    A plugin that needs more than a few MiB of memory takes a share of ``buffers``.
    """

    path: Path
    directory: Path
    image: Image
    limit: int
    buffers: Buffers = field(default_factory=Buffers)

    def output(self, plugin: "ImportPlugin") -> Path:
        """Return the path of the one file that ``plugin`` may create; it does not exist yet."""
        return self.directory / plugin.name


class Formats(TypedDict, total=False):
    """The formats of an image that a source or a plugin may set."""

    disk_format: str
    container_format: str


class Attributes(Formats, total=False):
    """The attributes of an image that a plugin may set; sizes in bytes."""

    size: int
    virtual_size: int


@dataclass(frozen=True, slots=True)
class PluginResult:
    """The file with the resulting data, and the attributes and custom properties that change."""

    path: Path
    attributes: Attributes = field(default_factory=Attributes)
    properties: Mapping[str, str] = field(default_factory=dict)


class ImportPlugin:
    """Base of all import plugins. One object serves all imports, so the state of an import stays in locals."""

    name: ClassVar[str]
    activity: ClassVar[str] = ""
    """The message of the task while the plugin works; empty for a plugin that does not take long."""

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the plugin as configured; raises ConfigurationError if that is not possible."""
        return cls()

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        """Return the result for ``staged``; ``roles`` are the caller's, in lower case.

        May be called again for the same image after a crash. If it or ``check`` raises, it leaves no file of its own.
        Errors that may pass are raised unchanged; Invalid, UnsafeContent and LimitExceeded end the import.
        """
        raise NotImplementedError
