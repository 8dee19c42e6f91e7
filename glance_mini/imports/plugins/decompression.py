"""The import plugin ``image_decompression``: unpacks compressed data (api-imports-plugins)."""

from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from oslo_config import cfg

from glance_mini.content.compression import find_format
from glance_mini.domain.errors import LimitExceeded
from glance_mini.imports.plugins.base import Check, ImportPlugin, PluginResult, StagedFile
from glance_mini.imports.plugins.unpacking import WINDOWS, BadArchive, unpack

_PIECES = 16 * 1024 * 1024
"""Memory in bytes beside the window, such as the directory of a zip archive."""


class ImageDecompression(ImportPlugin):
    """Unpacks one layer of compression, detected in the data; writes at most ``max_size`` bytes."""

    name = "image_decompression"
    activity = "Unpacking"

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        cap: int = conf.image_size_cap
        return cls(min(cap, conf.image_decompression.max_size or cap))

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        if staged.image.container_format == "compressed":
            return PluginResult(staged.path)
        with open(staged.path, "rb") as file:
            name = find_format(file, check)
        if name is None:
            return PluginResult(staged.path)
        output = staged.output(self)
        try:
            size = self._unpack_with_memory(staged, name, output, check)
        except BaseException:
            output.unlink(missing_ok=True)
            raise
        return PluginResult(output, {"size": size})

    def _unpack_with_memory(self, staged: StagedFile, name: str, output: Path, check: Check) -> int:
        """Unpack with the memory that usual data needs, and again with more if that fails."""
        usual, largest = (min(window, staged.buffers.limit - _PIECES) for window in WINDOWS)
        with suppress(BadArchive), staged.buffers.share(usual + _PIECES, check):
            return self._unpack(staged, name, output, check, usual)
        with staged.buffers.share(largest + _PIECES, check):
            return self._unpack(staged, name, output, check, largest)

    def _unpack(self, staged: StagedFile, name: str, output: Path, check: Check, window: int) -> int:
        size, limit = 0, min(self._max_size, staged.limit)
        with open(output, "wb") as file, closing(unpack(staged.path, name, check, window)) as pieces:
            for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise LimitExceeded(resource="the size of unpacked data", limit=limit, wanted=f"more than {limit}")
                file.write(piece)
        return size
