"""An import method that reads files of one directory of the operator: ``acme-shelf``."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar, Self

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.job import Job
from glance_mini.imports.methods import ImportMethod, Pause, Source
from glance_mini.layers.base import Services
from glance_mini.workers.base import JobFailed

BLOCK = 1024 * 1024

GROUP = cfg.OptGroup("acme_import", help="The import method acme-shelf.")

OPTS = [cfg.StrOpt("directory", help="The directory whose files users may import.")]


class AcmeShelf(ImportMethod):
    """Imports a file directly in ``directory``; the field ``file`` of a request names it."""

    name: ClassVar[str] = "acme-shelf"
    image_status: ClassVar[str] = "queued"
    fields: ClassVar[tuple[str, ...]] = ("file",)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        """Return the method for ``[acme_import] directory``; raises ConfigurationError."""
        conf.register_opts(OPTS, group=GROUP)
        if not conf.acme_import.directory:
            raise ConfigurationError(reason="[acme_import] directory must be set.")
        return cls(Path(conf.acme_import.directory))

    def open(self, job: Job, request: ImportRequest, image: Image, pause: Pause) -> Source:
        """Return the file as a source.

        The source has no path, because a store on the same file system would move the file off the shelf.
        """
        name = request.method["file"]
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise JobFailed(reason="The file must be directly on the shelf.")
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise JobFailed(reason=f"The file {name} cannot be read: {error.strerror}.") from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise JobFailed(reason=f"{name} is not a file.")
        return Source(_blocks(os.fdopen(descriptor, "rb", buffering=0)), status.st_size)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return the options for oslo-config-generator."""
    return [(GROUP, OPTS)]


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK):
            yield block
