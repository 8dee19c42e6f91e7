"""The use of a tree of processes, from /proc: CPU seconds and proportional memory."""

import os
from collections.abc import Iterator

_TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return ``pid`` and all its running descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of the tree, including children that have ended."""
    used = 0
    for each in tree(pid):
        if fields := _stat(each):
            used += sum(int(value) for value in fields[11:15])
    return used / _TICK


def pss_mib(pid: int) -> float:
    """Return the tree's memory in MiB, each shared page counted once."""
    return sum(map(own_pss_mib, tree(pid)))


def own_pss_mib(pid: int) -> float:
    """Return the memory of one process in MiB, its part of shared pages included; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0.0


def find(name: str) -> Iterator[int]:
    """Yield the processes whose command is ``name`` and whose parent's is not."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _comm(int(entry)) == name:
            fields = _stat(int(entry))
            if fields and _comm(int(fields[1])) != name:
                yield int(entry)


def _stat(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
