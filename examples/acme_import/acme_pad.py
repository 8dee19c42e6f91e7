"""An import plugin that pads raw images with zeros to whole blocks of 1 MiB: ``acme_pad``."""

import os
from collections.abc import Collection
from typing import ClassVar

from glance_mini.domain.errors import LimitExceeded
from glance_mini.imports.plugins.base import Check, ImportPlugin, PluginResult, StagedFile

BLOCK = 1024 * 1024


class AcmePad(ImportPlugin):
    """Copies the data block by block, with zeros behind it; data of other formats, or in whole blocks, stays."""

    name: ClassVar[str] = "acme_pad"
    activity: ClassVar[str] = "Padding"

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        """Return the padded file, or the data itself if nothing is to be done."""
        size = os.path.getsize(staged.path)
        missing = -size % BLOCK
        if staged.image.disk_format != "raw" or not missing:
            return PluginResult(staged.path)
        if size + missing > staged.limit:
            raise LimitExceeded(resource="image size", limit=staged.limit, wanted=size + missing)
        output = staged.output(self)
        try:
            with open(staged.path, "rb") as source, open(output, "xb") as target:
                while block := source.read(BLOCK):
                    check()
                    target.write(block)
                target.truncate(size + missing)
        except BaseException:
            output.unlink(missing_ok=True)
            raise
        return PluginResult(output, properties={"acme_padded": str(missing)})
