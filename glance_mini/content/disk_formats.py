"""The parsers of disk formats: those of oslo.utils, with additions for images that they do not recognise.

Each parser reads a stream: it gets piece after piece and keeps only the parts that it needs.
"""

import struct
from collections.abc import Sequence

from oslo_utils.imageutils import format_inspector
from oslo_utils.imageutils.format_inspector import (
    CaptureRegion,
    EndCaptureRegion,
    FileInspector,
    SafetyCheck,
    SafetyViolation,
)

QEMU_NAMES = {
    "raw": "raw",
    "gpt": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vhd": "vpc",
    "vhdx": "vhdx",
    "vdi": "vdi",
}
"""The names in qemu-img of the disk formats that it converts; other formats, such as iso, are not converted."""

_FIXED, _DIFFERENCING = 2, 4
"""Disk types in the footer of a vhd (Virtual Hard Disk Image Format Specification, "Hard Disk Footer Format")."""

_FOOTER = 512

_SECTOR = 2048
"""Bytes of a sector of an optical disc, and of a descriptor of its volumes."""

_DESCRIPTORS = 32
"""The number of volume descriptors that are read; they begin at sector 16 (ECMA-119 section 8, ECMA-167 part 2)."""

_PRIMARY = 1
_ISO, _UDF = b"CD001", (b"NSR02", b"NSR03")
_UDF_BEGIN = b"BEA01"

_ASCII = bytes(range(128)) + b"?" * 128
_TEXT = b" " + _ASCII[1:]
"""Translations of bytes: letters outside ASCII become ``?``, and the padding of a descriptor becomes blanks."""


class _Tail(EndCaptureRegion):
    """The last bytes of a stream. A piece is not copied as a whole."""

    def capture(self, chunk: bytes, current_position: int) -> bytes:
        return bytes(super().capture(chunk[-self.length :], current_position))


class VHD(format_inspector.VHDInspector):
    """A dynamic vhd begins with a copy of its footer, a fixed one is a raw disk with only a footer at its end."""

    def _initialize(self) -> None:
        super()._initialize()
        self.new_region("footer", _Tail(_FOOTER))
        self._safety_checks.clear()
        self.add_safety_check(SafetyCheck("parent", self.check_parent))

    @property
    def format_match(self) -> bool:
        return self._is_dynamic or self.is_fixed

    @property
    def virtual_size(self) -> int:
        return _vhd_size(self._footer)

    @property
    def is_fixed(self) -> bool:
        """Whether this is a complete fixed vhd: its footer must be valid, because any data may come before it."""
        data = self.region("footer").data
        if self._is_dynamic or not self.region("footer").complete or not data.startswith(b"conectix"):
            return False
        kind, checksum = struct.unpack(">II", data[60:68])
        computed = ~sum(data[:64] + data[68:]) & 0xFFFFFFFF
        return bool(kind == _FIXED and checksum == computed and _vhd_size(data) == self.actual_size - _FOOTER)

    def check_parent(self) -> None:
        """Refuse a disk that holds only the differences from another file."""
        (kind,) = struct.unpack(">I", self._footer[60:64])
        if kind == _DIFFERENCING:
            raise SafetyViolation("The disk has a parent")

    @property
    def _is_dynamic(self) -> bool:
        return bool(self.region("header").data.startswith(b"conectix"))

    @property
    def _footer(self) -> bytes:
        return bytes(self.region("header" if self._is_dynamic else "footer").data)


def _vhd_size(footer: bytes | bytearray) -> int:
    size: int = struct.unpack(">Q", footer[48:56])[0]
    return size


class QCow2(format_inspector.QcowInspector):
    """qcow2 with all features that are harmless: extended L2 entries (bit 4) only divide clusters."""

    I_FEATURES_MAX_BIT = 5


class VMDK(format_inspector.VMDKInspector):
    """vmdk whose descriptor may have names in any encoding: only its ASCII characters mean something."""

    def post_process(self) -> None:
        if self.has_region("header"):
            header = self.region("header")
            if not header.data.startswith(b"KDMV"):
                header.data = header.data.translate(_TEXT)
        super().post_process()

    def region_complete(self, region_name: str) -> None:
        region = self.region(region_name)
        if region_name == "descriptor":
            region.data = region.data.translate(_ASCII)
        super().region_complete(region_name)


class ISO(format_inspector.ISOInspector):
    """ISO 9660 and UDF, alone or together, with their volume descriptors in any order."""

    def _initialize(self) -> None:
        self.new_region("descriptors", CaptureRegion(16 * _SECTOR, _DESCRIPTORS * _SECTOR, min_length=_SECTOR))
        self.add_safety_check(SafetyCheck.null())

    @property
    def format_match(self) -> bool:
        found = self._descriptors()
        return bool(found) and (found[0][1:6] in (_ISO, *_UDF) or _is_udf(found))

    @property
    def virtual_size(self) -> int:
        """The size of the ISO 9660 volume in bytes; of UDF alone, the size of the data."""
        for each in self._descriptors():
            if each[0] == _PRIMARY and each[1:6] == _ISO:
                blocks, size = struct.unpack("<L44xH", each[80:130])
                return int(blocks * size)
        return int(self.actual_size)

    def _descriptors(self) -> Sequence[bytes | bytearray]:
        data = self.region("descriptors").data
        return [data[start : start + _SECTOR] for start in range(0, len(data) - _SECTOR + 1, _SECTOR)]


def _is_udf(descriptors: Sequence[bytes | bytearray]) -> bool:
    return descriptors[0][1:6] == _UDF_BEGIN and any(each[1:6] in _UDF for each in descriptors)


_OWN: dict[str, type[FileInspector]] = {"vhd": VHD, "qcow2": QCow2, "vmdk": VMDK, "iso": ISO}


def new_parsers() -> list[FileInspector]:
    """Return a new parser for each format but raw."""
    return [_OWN.get(name, kind)() for name, kind in format_inspector.ALL_FORMATS.items() if name != "raw"]
