"""Who holds an attachment: a mark that tells a process from one that has ended, also after the host was started again.

Cinder keeps the mark as the device of the attachment.
"""

import os
import socket
from pathlib import Path

_PREFIX = "glance-mini"


def host() -> str:
    """Return the name of this host."""
    return socket.gethostname()


def mark() -> str:
    """Return the mark of this process."""
    process = os.getpid()
    return f"{_here()}:{process}:{_started(process)}"


def is_mark(device: str) -> bool:
    """Return whether ``device`` is the mark of a process, on whatever host."""
    return device.startswith(f"{_PREFIX}:")


def is_on_this_host(device: str) -> bool:
    """Return whether ``device`` is the mark of a process on this host, in the same container."""
    return device.startswith(f"{_PREFIX}:{host()}:{_namespace()}:")


def has_ended(device: str) -> bool:
    """Return whether ``device`` is the mark of a process on this host that has ended."""
    if not is_on_this_host(device):
        return False
    here, _, started = device.rpartition(":")
    here, _, process = here.rpartition(":")
    return here != _here() or not process.isdigit() or _started(int(process)) != started


def _here() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{_PREFIX}:{host()}:{_namespace()}:{boot}"


def _namespace() -> str:
    """Return the namespace in which the numbers of processes mean something."""
    return os.readlink("/proc/self/ns/pid").strip("pid:[]")


def _started(process: int) -> str:
    """Return when a process was started, in ticks since the boot; empty if there is none of this number."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    state, *rest = told.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]
