"""The commands of ``dog`` that the driver needs, with their results and errors as values of this package.

Exit codes alone do not tell what failed: releases of Sheepdog end with 1 for most failures, and a failed ``vdi delete``
may end with 0. Therefore the text is looked at too, and a delete is checked by listing.
Source: the manual page dog(8) and the exit codes of Sheepdog 0.9 and 1.0.
"""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from glance_mini_store import errors
from glance_mini_store.drivers.sheepdog.process import DogFailed, DogProcess

_SYSTEM_FAILURE, _EXISTS, _FULL, _MISSING = 2, 3, 4, 5
_FULL_TEXTS = ("no space", "maximum number of vdis", "size is too large", "size is larger than")
_ROW = re.compile(r"([s=c]) ((?:\\.|[^\\ ])+) (\d+) (\d+) (.*)")
_DELAYS = (0.2, 1.0)
"""Seconds before a listing is tried again after a failure of the cluster."""


@dataclass(frozen=True)
class Node:
    """The node that answers: its address (IPv6 without brackets) and port."""

    address: str
    port: int


@dataclass(frozen=True)
class Vdi:
    """One row of the list: a virtual disk or a snapshot of one; ``size`` in bytes."""

    name: str
    size: int
    is_snapshot: bool


class Cluster:
    """Runs ``dog`` at ``program``; a call may take ``seconds``, or ``seconds`` without progress where data moves."""

    def __init__(self, program: str, seconds: float, node: Node) -> None:
        self.node = node
        self._program = program
        self._seconds = seconds

    def at(self, node: Node) -> "Cluster":
        """Return the same through another node."""
        return Cluster(self._program, self._seconds, node)

    def check(self) -> None:
        """Raise BadStoreConfiguration without the program, RemoteServiceUnavailable unless the cluster answers."""
        if shutil.which(self._program) is None:
            reason = f"there is no program {self._program}; install Sheepdog's dog"
            raise errors.BadStoreConfiguration(option="sheepdog_dog_path", reason=reason)
        self._ask("node", "list", "-r")

    def vdis(self, name: str | None = None) -> Iterator[Vdi]:
        """Yield all rows of the list, or those of the disk ``name`` and its snapshots."""
        for line in self._ask("vdi", "list", "-r", *([] if name is None else [name])).splitlines():
            row = _ROW.fullmatch(line)
            if row:
                yield Vdi(re.sub(r"\\(.)", r"\1", row[2]), int(row[4]), row[1] == "s")

    def find(self, name: str) -> Vdi | None:
        """Return the disk ``name``, None if there is none; snapshots do not count."""
        return next((vdi for vdi in self.vdis(name) if vdi.name == name and not vdi.is_snapshot), None)

    def create(self, name: str, size: int) -> None:
        """Create an empty disk of ``size`` bytes. Raises Duplicate, StorageFull."""
        self._do("create", name, str(size))

    def resize(self, name: str, size: int) -> None:
        """Make a disk ``size`` bytes long, never shorter. Raises StorageFull, NotFound."""
        self._do("resize", name, str(size))

    def snapshot(self, name: str, tag: str) -> None:
        """Keep the present state of a disk as its snapshot ``tag``."""
        self._do("snapshot", name, options=("-s", tag))

    def clone(self, name: str, tag: str, copy: str) -> None:
        """Create the disk ``copy`` with the data of a snapshot, in one step. Raises Duplicate, NotFound."""
        self._do("clone", name, copy, options=("-s", tag))

    def delete(self, name: str, tag: str | None = None) -> None:
        """Delete a disk, or its snapshot ``tag``; the exit code may hide a failure, so look whether it is gone."""
        self._do("delete", name, options=() if tag is None else ("-s", tag))

    def writing(self, name: str, offset: int, length: int) -> DogProcess:
        """Return a program that waits for exactly ``length`` bytes and writes them at ``offset``."""
        return DogProcess(self._command("vdi", "write", name, str(offset), str(length)), self._seconds, feeds=True)

    def reading(self, name: str, offset: int, length: int) -> DogProcess:
        """Return a program that prints ``length`` bytes of a disk from ``offset``."""
        return DogProcess(self._command("vdi", "read", name, str(offset), str(length)), self._seconds)

    def _do(self, action: str, *words: str, options: tuple[str, ...] = ()) -> None:
        try:
            DogProcess(self._command("vdi", action, *options, *words), self._seconds).read_all()
        except DogFailed as failure:
            refuse(failure, f"sheepdog://{words[-1] if action == 'clone' else words[0]}")

    def _ask(self, *words: str) -> str:
        """Return what a command prints that changes nothing; a failing cluster is asked again."""
        for delay in (*_DELAYS, None):
            try:
                return DogProcess(self._command(*words), self._seconds).read_all().decode("utf-8", "replace")
            except DogFailed as failure:
                if delay is None or failure.code != _SYSTEM_FAILURE:
                    refuse(failure, "sheepdog://")
            time.sleep(delay)
        raise AssertionError

    def _command(self, area: str, action: str, *words: str) -> list[str]:
        return [self._program, area, action, "-a", self.node.address, "-p", str(self.node.port), *words]


def refuse(failure: DogFailed, location: str) -> NoReturn:
    """Raise the error for a failed command: Duplicate, NotFound, StorageFull or RemoteServiceUnavailable."""
    text = failure.text.lower()
    if failure.code == _EXISTS or "exists already" in text:
        raise errors.Duplicate(location=location) from failure
    if failure.code == _FULL or any(words in text for words in _FULL_TEXTS):
        raise errors.StorageFull(reason=failure.text or "the cluster is full") from failure
    if failure.code == _MISSING or "no vdi found" in text or "failed to find requested tag" in text:
        raise errors.NotFound(location=location) from failure
    raise errors.RemoteServiceUnavailable(reason=str(failure)) from failure
