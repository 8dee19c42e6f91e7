"""The import plugin ``image_conversion``: qemu-img converts all imported images to one disk format.

All data is inspected before qemu-img reads it, the source format is always given and never detected by qemu-img
(CVE-2015-5163, CVE-2024-32498), and the program runs with resource limits.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Self

from oslo_config import cfg
from oslo_utils.imageutils import format_inspector

from glance_mini.content.disk_formats import QEMU_NAMES
from glance_mini.content.inspection import Inspection, InspectionRules
from glance_mini.domain.errors import ConfigurationError, Invalid, LimitExceeded
from glance_mini.imports.plugins.base import Attributes, Check, ImportPlugin, PluginResult, StagedFile
from glance_mini_store.buffers import TRANSFER

_ARCHIVES = frozenset({"ova", "ovf", "docker", "compressed"})
"""Container formats whose data is not a disk image."""

_BLOCK = 1024 * 1024
_MIB = 1024 * 1024
_GUARDS = ("setpriv", "prlimit")
"""Programs of util-linux: one ends qemu-img when its worker dies, the other sets its limits."""

_FILE_TOO_LARGE = "File too large"
"""The English text of EFBIG, for a file that may not grow further."""

_TOO_LONG = 256
"""Stands for the exit status of a program that took too long."""

_POLL_SECONDS = 0.2
_READ = 8192
_TOLD = 300


class ConversionFailed(Invalid):
    """qemu-img could not convert the data."""

    code = "import.conversion"
    template = "The image could not be converted from {source} to {target}: {reason}"


@dataclass(frozen=True, slots=True)
class ConversionLimits:
    """Limits of one run of qemu-img: seconds in all, seconds of processor time, bytes of address space."""

    seconds: float = 7200
    cpu_seconds: int = 3600
    memory: int = 1024 * _MIB


class ImageConversion(ImportPlugin):
    """Converts to ``output_format``; raises UnsafeContent for data that is unsafe or not of its declared format."""

    name = "image_conversion"
    activity = "Converting"

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
    def from_config(cls, conf: cfg.ConfigOpts, output_format: str | None = None) -> Self:
        """Return the plugin as configured, for another format than the configured one if that is named."""
        for program in (*_GUARDS, "qemu-img"):
            if shutil.which(program) is None:
                raise ConfigurationError(reason=f"The import plugin {cls.name} needs the program {program}.")
        group, rules = conf.image_conversion, InspectionRules.from_config(conf)
        return cls(
            output_format or group.output_format,
            rules,
            ConversionLimits(group.timeout, group.cpu_seconds, group.memory_mib * _MIB),
        )

    def apply(self, staged: StagedFile, roles: Collection[str], check: Check) -> PluginResult:
        image = staged.image
        source = image.disk_format or ""
        if source == self._output_format or source not in QEMU_NAMES or image.container_format in _ARCHIVES:
            return PluginResult(staged.path)
        self._inspect(staged, check)
        output = staged.output(self)
        try:
            self._convert(staged, source, output, check)
            size = output.stat().st_size
            virtual_size = size if self._output_format == "raw" else _virtual_size(output)
        except BaseException:
            output.unlink(missing_ok=True)
            raise
        attributes: Attributes = {"size": size, "virtual_size": virtual_size}
        return PluginResult(output, {"disk_format": self._output_format, "container_format": "bare", **attributes})

    def _inspect(self, staged: StagedFile, check: Check) -> None:
        inspection = Inspection(staged.image, self._rules)
        with staged.buffers.share(TRANSFER, check), open(staged.path, "rb") as file:
            while block := file.read(_BLOCK):
                check()
                inspection.update(block)
        inspection.finish()
        size = inspection.virtual_size or 0
        if self._output_format == "raw" and size > staged.limit:
            raise LimitExceeded(resource="the size of a converted image", limit=staged.limit, wanted=size)

    def _convert(self, staged: StagedFile, source: str, output: Path, check: Check) -> None:
        limits = self._limits
        guards = [
            *("setpriv", "--pdeathsig=KILL", "--"),
            *("prlimit", f"--as={limits.memory}", f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 1}"),
            *(f"--fsize={staged.limit}", "--core=0", "--"),
        ]
        command = [self._program, "convert", "-f", QEMU_NAMES[source], "-O", self._output_format]
        with tempfile.TemporaryFile() as errors:
            status = self._run([*guards, *command, str(staged.path), str(output)], errors, check)
            if status:
                reason = self._reason(status, errors)
                if status == -signal.SIGXFSZ or _FILE_TOO_LARGE in reason:
                    wanted = f"more than {staged.limit}"
                    raise LimitExceeded(resource="the size of a converted image", limit=staged.limit, wanted=wanted)
                reason = reason.replace(str(staged.path), "the image").replace(str(output), "the new image")
                raise ConversionFailed(source=source, target=self._output_format, reason=reason[:_TOLD])

    def _run(self, command: Sequence[str], errors: IO[bytes], check: Check) -> int:
        """Return the exit status of ``command``; the process ends with this call and with this thread."""
        end = time.monotonic() + self._limits.seconds
        # With one malloc arena for each thread, the program sometimes aborts at its limit of address space.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "MALLOC_ARENA_MAX": "1"}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        try:
            while (status := _status(process)) is None:
                check()
                if time.monotonic() > end:
                    return _TOO_LONG
        finally:
            process.kill()
            process.wait()
        return status

    def _reason(self, status: int, errors: IO[bytes]) -> str:
        if status == _TOO_LONG:
            return f"it took longer than {self._limits.seconds:g} seconds."
        if status == -signal.SIGXCPU:
            return f"it took more than {self._limits.cpu_seconds} seconds of processor time."
        if status < 0:
            return f"qemu-img was ended by signal {-status}."
        errors.seek(0)
        lines = errors.read(_READ).decode(errors="replace").strip().splitlines()
        return lines[0] if lines else f"qemu-img ended with status {status}."


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit status, None if the process still runs after a moment."""
    try:
        return process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _virtual_size(path: Path) -> int:
    """Return the virtual size in bytes of a converted file."""
    found = format_inspector.detect_file_format(str(path))
    size: int = found.virtual_size
    return size
