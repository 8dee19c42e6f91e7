"""Uploads and downloads of one large object: a store's driver against the backend's own tool and against hashing alone.

Nothing here knows a backend; each is a class in a module of its own, named in ``BACKENDS``. Each measurement runs in a
process of its own, so that its peak of memory is its own too.
"""

import abc
import hashlib
import importlib
import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from glance_mini_store.driver import Driver
from glance_mini_store.store import Store

BLOCK = 4 * 1024 * 1024

BACKENDS = {"s3": "benchmarks.backend_s3:S3Backend"}
"""Name to the class of the backend."""

_RESET_PEAK = "5"
"""Source: proc_pid_clear_refs(5)."""


class Backend(abc.ABC):
    """A backend that answers; the environment tells where, as ``tests/integration/services/NAME env`` prints it."""

    @abc.abstractmethod
    def prepare(self) -> str:
        """Make a place for objects, a bucket for example, and return its name."""

    @abc.abstractmethod
    def remove(self, place: str) -> None:
        """Remove the place with all that is in it."""

    @abc.abstractmethod
    def driver(self, place: str) -> Driver:
        """Return a driver that writes to the place."""

    @abc.abstractmethod
    def upload(self, place: str, path: str) -> str:
        """Let the backend's own tool store a file, and return its name in the place."""

    @abc.abstractmethod
    def download(self, place: str, name: str, path: str) -> None:
        """Let the backend's own tool write an object into a file."""


class Measured(NamedTuple):
    """Seconds, the growth of memory in MiB to its peak, and the result."""

    seconds: float
    memory: float
    result: str


def run(name: str, mib: int, rounds: int, folder: str) -> Iterator[str]:
    """Yield lines with the medians of ``rounds``; files of ``mib`` MiB lie in ``folder``."""
    backend = backend_named(name)
    source, target = (os.path.join(folder, f"benchmark-{uuid.uuid4().hex}") for _ in range(2))
    place = backend.prepare()
    try:
        _make_file(source, mib)
        rows = [_round(name, place, source, target) for _ in range(rounds)]
        yield from _lines(rows)
    finally:
        backend.remove(place)
        for path in (source, target):
            if os.path.exists(path):
                os.unlink(path)


def backend_named(name: str) -> Backend:
    """Return the backend ``name``."""
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)()
    return backend


def _round(name: str, place: str, source: str, target: str) -> dict[str, Measured]:
    measured = {
        "hashing alone": _measure(_hash, source),
        "upload, tool": (by_tool := _measure(_upload_by_tool, name, place, source)),
        "upload, store": (by_store := _measure(_upload_by_store, name, place, source)),
        "download, tool": _measure(_download_by_tool, name, place, by_tool.result, target),
        "download, store": _measure(_download_by_store, name, place, by_store.result, target),
    }
    store = Store(backend_named(name).driver(place))
    store.delete(by_store.result)
    store.close()
    return measured


def _lines(rows: list[dict[str, Measured]]) -> Iterator[str]:
    seconds = {what: median(row[what].seconds for row in rows) for what in rows[0]}
    for what, value in seconds.items():
        yield f"{what}: {value:.2f} s, memory +{median(row[what].memory for row in rows):.0f} MiB"
    floor = max(seconds["hashing alone"], seconds["upload, tool"])
    yield f"upload: {floor / seconds['upload, store']:.2f} of the slower of the tool and hashing (target 0.85)"
    yield f"download: {seconds['download, tool'] / seconds['download, store']:.2f} of the tool (target 0.85)"


def _measure(work: Callable[..., str], *arguments: str) -> Measured:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sending, work, arguments))
    process.start()
    sending.close()
    try:
        seconds, memory, result = receiving.recv()
    finally:
        process.join()
    return Measured(seconds, memory, result)


def _measured(sending, work, arguments) -> None:  # type: ignore[no-untyped-def]
    work(*arguments, prepare=True)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write(_RESET_PEAK)
    before = _peak_mib()
    started = time.perf_counter()
    result = work(*arguments)
    seconds = time.perf_counter() - started
    sending.send((seconds, _peak_mib() - before, result))


def _peak_mib() -> float:
    """Return the most memory that this process has had since the peak was reset."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def _hash(source: str, prepare: bool = False) -> str:
    digests = [hashlib.md5(usedforsecurity=False), hashlib.sha512()]
    if not prepare:
        for chunk in _chunks(source):
            for digest in digests:
                digest.update(chunk)
    return ""


def _upload_by_tool(name: str, place: str, source: str, prepare: bool = False) -> str:
    backend = backend_named(name)
    return "" if prepare else backend.upload(place, source)


def _upload_by_store(name: str, place: str, source: str, prepare: bool = False) -> str:
    store = Store(backend_named(name).driver(place))
    store.probe()
    if prepare:
        return ""
    stored = store.write(uuid.uuid4().hex, _chunks(source), size=os.path.getsize(source), blocks=4)
    store.close()
    return stored.location


def _download_by_tool(name: str, place: str, stored: str, target: str, prepare: bool = False) -> str:
    backend = backend_named(name)
    if not prepare:
        backend.download(place, stored, target)
    return ""


def _download_by_store(name: str, place: str, location: str, target: str, prepare: bool = False) -> str:
    store = Store(backend_named(name).driver(place))
    store.probe()
    if not prepare:
        with open(target, "wb") as file:
            for block in store.read(location):
                file.write(block)
    store.close()
    return ""


def _chunks(path: str) -> Iterator[memoryview]:
    """Yield the file in blocks of memory that are used in turn, as uploads do."""
    blocks = [memoryview(bytearray(BLOCK)) for _ in range(4)]
    with open(path, "rb", buffering=0) as file:
        number = 0
        while count := file.readinto(blocks[number % 4]):
            yield blocks[number % 4][:count]
            number += 1


def _make_file(path: str, mib: int) -> None:
    block = os.urandom(1024 * 1024)
    with open(path, "wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8, "big") + block[8:])
