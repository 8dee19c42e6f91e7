"""The import plugin ``image_conversion``: one disk format for all imported images, made by qemu-img.

The data is inspected whole before qemu-img sees it, its format is always said and never guessed (CVE-2015-5163,
CVE-2024-32498), and the program runs with limits of its own.
"""

import logging
import os
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from oslo_config import cfg
from oslo_utils.imageutils import format_inspector

from glance_mini.domain.errors import ConfigurationError, Invalid, LimitExceeded
from glance_mini.imports.plugins.base import Check, ImportPlugin, PluginResult, StagedFile
from glance_mini.inspection import Inspection, InspectionRules

LOG = logging.getLogger(__name__)

_DRIVERS = {
    "raw": "raw",
    "gpt": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vhd": "vpc",
    "vhdx": "vhdx",
    "vdi": "vdi",
}
"""What qemu-img calls the disk formats that it converts; images of other ones, such as iso, are left alone."""

_ARCHIVES = frozenset({"ova", "ovf", "docker", "compressed"})
"""Container formats whose data is no disk."""

_BLOCK = 1024 * 1024
_MIB = 1024 * 1024
_POLL_SECONDS = 0.2
_TOLD = 300


class ConversionFailed(Invalid):
    """qemu-img could not convert the data."""

    code = "import.conversion"
    template = "The image could not be converted from {source} to {target}: {reason}"


@dataclass(frozen=True, slots=True)
class ConversionLimits:
    """Limits of one run of qemu-img: seconds all in all, seconds of processor time, bytes of address space."""

    seconds: float = 7200
    cpu_seconds: int = 3600
    memory: int = 1024 * _MIB


class ImageConversion(ImportPlugin):
    """Converts to ``output_format``; data that is not what it is declared, or is unsafe, raises UnsafeContent."""

    name = "image_conversion"

    def __init__(
        self,
        output_format: str,
        rules: InspectionRules,
        limits: ConversionLimits,
        program: str = "qemu-img",
    ) -> None:
        self._output_format = output_format
        self._rules = replace(rules, require_match=True)
        self._limits = limits
        self._program = program

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        ...
