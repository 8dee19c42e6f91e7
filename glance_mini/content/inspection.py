"""Inspects image data as it passes; refuses data that is not of its declared format or is unsafe to open.

The parsers are in ``disk_formats``; this module decides on their findings (api-data-inspection). An inspection observes
a write: ``update`` is called with each block, ``finish`` before the data is published.
"""

import logging
from dataclasses import dataclass
from typing import Self

from oslo_config import cfg
from oslo_utils.imageutils import format_inspector

from glance_mini.content import compression
from glance_mini.content.disk_formats import VHD, VMDK, new_parsers
from glance_mini.domain.errors import UnsafeContent
from glance_mini.domain.image import Image
from glance_mini_store.lanes import Chunk

LOG = logging.getLogger(__name__)

UNINSPECTED = frozenset({"ami", "aki", "ari", "ploop"})
"""Declared formats without a parser: their content must not be recognised as another format.

A boot record is no other format: disks have one, and so do the kernels of Linux.
"""

_UNSAFE_AS_RAW = frozenset({"qcow2", "vmdk"})

_HEAD = 1024 * 1024
"""Bytes of the first piece that the parsers get.

The parser of vmdk reads a descriptor from the first piece only. That of vhdx misses a table in the same piece as the
header that points to it; the format keeps them at least this far apart.
"""

_LARGEST = 2**63 - 1
"""The largest virtual size, in bytes, that can be recorded."""


@dataclass(frozen=True, slots=True)
class InspectionRules:
    """What the operator allows; see the options of ``[image_format]``."""

    require_match: bool = True
    vmdk_types: tuple[str, ...] = ("streamoptimized", "monolithicsparse")
    gpt_nonfatal: frozenset[str] = frozenset()
    refuse_compressed_raw: bool = False

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the rules of ``[image_format]``."""
        options = conf.image_format
        return cls(
            require_match=options.require_image_format_match,
            vmdk_types=tuple(name.lower() for name in options.vmdk_allowed_types),
            gpt_nonfatal=frozenset(options.gpt_safety_checks_nonfatal),
            refuse_compressed_raw=options.refuse_compressed_raw,
        )


class Inspection:
    """One pass over the data of ``image``; ``virtual_size`` (bytes) is known after ``finish``."""

    def __init__(self, image: Image, rules: InspectionRules) -> None:
        self.virtual_size: int | None = None
        self._declared = image.disk_format or "raw"
        self._image_id = image.id
        self._rules = rules
        self._size = 0
        self._is_bare = image.container_format == "bare"
        self._compression: str | None = None
        self._inspectors = new_parsers()
        self._active_parsers = list(self._inspectors)
        self._head: bytearray | None = bytearray()

    def update(self, block: Chunk) -> None:
        """Inspect the next block of the data, of any length; findings raise only in ``finish``."""
        self._size += len(block)
        if self._head is None:
            self._show(block)
            return
        self._head += block
        if len(self._head) >= _HEAD:
            self._show_head()

    def finish(self) -> None:
        """Decide on the complete data; raises UnsafeContent if it must not be stored."""
        if self._head is not None:
            self._show_head()
        found = self._detect()
        name = found.NAME if found else "raw"
        if name == self._declared:
            if found:
                self._check_safety(found)
            self.virtual_size = _virtual_size(found) if found else self._size
            if found is None:
                self._check_uncompressed()
        elif self._declared == "raw":
            LOG.warning("Image %s is declared raw and looks like %s.", self._image_id, name)
            if found and name in _UNSAFE_AS_RAW:
                self._check_safety(found)
            self.virtual_size = self._size
        elif not (name in ("raw", "gpt") and self._declared in UNINSPECTED):
            self._mismatch(name)
            if found:
                self._check_safety(found)

    def _show_head(self) -> None:
        head, self._head = bytes(self._head or b""), None
        self._compression = compression.name_of(head[: compression.HEAD])
        self._show(head[:_HEAD])
        self._show(head[_HEAD:])

    def _show(self, piece: Chunk) -> None:
        self._active_parsers = [inspector for inspector in self._active_parsers if self._feed(inspector, piece)]

    def _feed(self, inspector: format_inspector.FileInspector, piece: Chunk) -> bool:
        """Return whether ``inspector`` needs more data; one that cannot parse the data is dropped.

        One that has found its format continues to the end, because it may count the bytes.
        """
        try:
            inspector.eat_chunk(piece)
        except Exception:
            self._inspectors.remove(inspector)
            return False
        return not inspector.complete or _is_match(inspector)

    def _detect(self) -> format_inspector.FileInspector | None:
        for inspector in self._active_parsers:
            inspector.finish()
        matches = {inspector.NAME: inspector for inspector in self._inspectors if _is_match(inspector)}
        if "gpt" in matches and len(matches) == 2 and ("iso" in matches or _is_fixed_vhd(matches.get("vhd"))):
            # A disc that also boots from a disk, or the disk of a fixed vhd.
            del matches["gpt"]
        if len(matches) > 1:
            raise UnsafeContent(reason=f"the data looks like several formats at once: {', '.join(sorted(matches))}")
        return next(iter(matches.values()), None)

    def _check_uncompressed(self) -> None:
        """Warn about, or refuse, a raw disk that is compressed: an instance could not boot from it."""
        if self._compression is None or not self._is_bare:
            return
        reason = f"the image is declared raw in a bare container and the data looks like {self._compression}"
        if self._rules.refuse_compressed_raw:
            raise UnsafeContent(reason=reason)
        LOG.warning("Image %s: %s.", self._image_id, reason)

    def _mismatch(self, name: str) -> None:
        reason = f"the image is declared {self._declared} and the data looks like {name}"
        if self._rules.require_match:
            raise UnsafeContent(reason=reason)
        LOG.warning("Image %s: %s.", self._image_id, reason)

    def _check_safety(self, inspector: format_inspector.FileInspector) -> None:
        try:
            inspector.safety_check()
        except format_inspector.SafetyCheckFailed as failed:
            fatal = set(failed.failures)
            if inspector.NAME == "gpt":
                fatal -= self._rules.gpt_nonfatal
            if fatal:
                raise UnsafeContent(reason=f"Image failed safety checks: {', '.join(sorted(fatal))}") from failed
        except format_inspector.ImageFormatError as error:
            raise UnsafeContent(reason=f"the {inspector.NAME} data cannot be checked: {error}") from error
        if isinstance(inspector, VMDK) and inspector.vmdktype not in self._rules.vmdk_types:
            raise UnsafeContent(reason=f"the vmdk sub-format {inspector.vmdktype} is not allowed")


def _is_match(inspector: format_inspector.FileInspector) -> bool:
    try:
        match: bool = inspector.format_match
    except Exception:  # a parser that fails on the data has not matched its format
        return False
    return match


def _is_fixed_vhd(inspector: format_inspector.FileInspector | None) -> bool:
    return isinstance(inspector, VHD) and inspector.is_fixed


def _virtual_size(inspector: format_inspector.FileInspector) -> int:
    try:
        size: int = inspector.virtual_size
    except Exception as error:
        raise UnsafeContent(reason=f"the virtual size of the {inspector.NAME} data cannot be read") from error
    if not 0 <= size <= _LARGEST:
        raise UnsafeContent(reason=f"the {inspector.NAME} data claims a virtual size of {size} bytes")
    return size
