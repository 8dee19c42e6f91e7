"""Uploads and downloads of large objects: a store's driver against the backend's own tool and against hashing alone.

Nothing here knows a backend; each is a class in a module of its own, named in ``BACKENDS``. Each measurement runs in a
process of its own, so that its peak of memory is its own too. A store takes memory as the service does.
"""

import abc
import hashlib
import importlib
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from statistics import median
from types import SimpleNamespace
from typing import TypeVar

from benchmarks.measuring import Call, Measured, measure
from glance_mini_store.buffers import BLOCK, MIB, Buffers
from glance_mini_store.driver import Driver
from glance_mini_store.store import Store
from glance_mini_store.streams import FileRange

T = TypeVar("T")

BACKENDS = {
    "file": "benchmarks.backend_file:FileBackend",
    "rbd": "benchmarks.backend_rbd:RbdBackend",
    "s3": "benchmarks.backend_s3:S3Backend",
    "swift": "benchmarks.backend_swift:SwiftBackend",
}
"""Name to the class of the backend."""

_TARGET, _PEER_TARGET = 0.85, 1.3

_PEER = os.path.join(os.path.dirname(__file__), "peer.py")


class Backend(abc.ABC):
    """A backend that answers; the environment tells where, as ``tests/integration/services/NAME env`` prints it."""

    driver_class: type[Driver]

    @abc.abstractmethod
    def prepare(self) -> str:
        """Make a place for objects, a bucket for example, and return its name."""

    @abc.abstractmethod
    def remove(self, place: str) -> None:
        """Remove the place with all that is in it."""

    @abc.abstractmethod
    def options(self, place: str) -> dict[str, object]:
        """Return the options of a store that writes to the place, where they are not the defaults."""

    @abc.abstractmethod
    def upload(self, place: str, path: str, name: str) -> None:
        """Let the backend's own tool store a file under ``name``."""

    @abc.abstractmethod
    def download(self, place: str, name: str, path: str) -> None:
        """Let the backend's own tool write the object ``name`` into a new file."""

    def settle(self, place: str) -> None:  # noqa: B027
        """Bring all objects of the place into one state before a download, whoever has written them."""

    def driver(self, place: str) -> Driver:
        """Return a driver that writes to the place; ``BENCHMARK_OPTIONS``, NAME=VALUE ..., may set further options."""
        values = {option.dest: option.default for option in self.driver_class.options} | self.options(place)
        changed = dict(word.split("=", 1) for word in os.environ.get("BENCHMARK_OPTIONS", "").split())
        values |= {
            each.dest: each.type(changed[each.dest]) for each in self.driver_class.options if each.dest in changed
        }
        return self.driver_class.from_config(SimpleNamespace(**values), "benchmark")


def backend_named(name: str) -> Backend:
    """Return the backend ``name``."""
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)()
    return backend


def run(name: str, mib: int, rounds: int, folder: str, at_once: int = 1, peer: str | None = None) -> Iterator[str]:
    """Yield a line for each measurement, then the medians of the ratios of ``rounds``; files lie in ``folder``.

    ``mib`` MiB are moved each time, as ``at_once`` objects at the same time. ``peer`` is a Python in whose environment
    glance_store is installed, which is measured too.
    """
    backend = backend_named(name)
    source = os.path.join(folder, f"benchmark-{uuid.uuid4().hex}")
    place = backend.prepare()
    try:
        _make_file(source, mib // at_once)
        task = _Task(name, place, source, at_once)
        rows: list[dict[str, Measured]] = []
        for _ in range(rounds):
            rows.append({})
            for what, measured in task.round(peer):
                rows[-1][what] = measured
                yield f"{what}: {measured.seconds:.2f} s, CPU {measured.cpu:.2f} s, memory +{measured.memory:.0f} MiB"
        yield from _ratios(rows, peer)
    finally:
        backend.remove(place)
        os.unlink(source)


class _Task:
    """One backend, with ``count`` objects at once that each have the content of ``source``."""

    def __init__(self, name: str, place: str, source: str, count: int) -> None:
        self._backend = name
        self._place = place
        self._source = source
        self._count = count

    def round(self, peer: str | None) -> Iterator[tuple[str, Measured]]:
        """Measure everything once, the peer before the store again."""
        common = (self._backend, self._place, self._source)
        names = [str(uuid.uuid4()) for _ in range(self._count)]
        yield "hashing alone", measure(_hash, self._source, self._count)
        yield "upload, tool", measure(_upload_by_tool, *common, names)
        yield "upload, store", (by_store := measure(_upload_by_store, *common, names))
        settle = backend_named(self._backend).settle
        settle(self._place)
        yield "download, tool", measure(_download_by_tool, *common, names)
        settle(self._place)
        yield "download, store", measure(_download_by_store, *common, by_store.result)
        self._delete(by_store.result)
        if peer:
            names = [str(uuid.uuid4()) for _ in range(self._count)]
            yield "upload, peer", (by_peer := self._by_peer(peer, "upload", names))
            yield "upload, store again", (by_store := measure(_upload_by_store, *common, names))
            settle(self._place)
            yield "download, peer", self._by_peer(peer, "download", by_peer.result)
            settle(self._place)
            yield "download, store again", measure(_download_by_store, *common, by_store.result)
            self._by_peer(peer, "delete", by_peer.result)
            self._delete(by_store.result)

    def _by_peer(self, peer: str, action: str, names: Sequence[str]) -> Measured:
        """Let the peer measure itself, so that the time that it takes to load does not count."""
        backend = backend_named(self._backend)
        options = [f"{option}={value}" for option, value in backend.options(self._place).items()]
        command = [peer, _PEER, backend.driver_class.type, action, self._source, ",".join(names), *options]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return Measured(**json.loads(done.stdout))

    def _delete(self, locations: Sequence[str]) -> None:
        store, _ = _open(self._backend, self._place)
        for location in locations:
            store.delete(location)
        store.close()


def _ratios(rows: list[dict[str, Measured]], peer: str | None) -> Iterator[str]:
    # Each ratio is one of a round, because the load of a machine changes between rounds.
    upload = median(_floor(row) / row["upload, store"].seconds for row in rows)
    work = median(row["hashing alone"].cpu / row["upload, store"].cpu for row in rows)
    download = median(row["download, tool"].seconds / row["download, store"].seconds for row in rows)
    yield f"upload: {upload:.2f} of the slower of the tool and hashing (target {_TARGET})"
    yield f"upload: hashing is {work:.2f} of the client's CPU"
    yield f"download: {download:.2f} of the tool (target {_TARGET})"
    if peer:
        for what in ("upload", "download"):
            ratio = median(row[f"{what}, peer"].seconds / row[f"{what}, store again"].seconds for row in rows)
            yield f"{what}: {ratio:.2f} times as fast as the peer (target {_PEER_TARGET})"


def _floor(row: dict[str, Measured]) -> float:
    return max(row["hashing alone"].seconds, row["upload, tool"].seconds)


def _hash(source: str, count: int) -> Call:
    def work(_: int) -> None:
        digests = [hashlib.md5(usedforsecurity=False), hashlib.sha512()]
        for chunk in _chunks(source, [memoryview(bytearray(BLOCK))]):
            for digest in digests:
                digest.update(chunk)

    return lambda: _at_once(work, range(count))


def _upload_by_tool(name: str, place: str, source: str, names: Sequence[str]) -> Call:
    backend = backend_named(name)
    return lambda: _at_once(lambda each: backend.upload(place, source, each), names)


def _upload_by_store(name: str, place: str, source: str, names: Sequence[str]) -> Call:
    store, buffers = _open(name, place)
    size = os.path.getsize(source)

    def upload(_: str) -> str:
        with buffers.blocks(size) as blocks:
            chunks = _chunks(source, blocks)
            return store.write(uuid.uuid4().hex, chunks, size=size, blocks=len(blocks)).location

    return lambda: _at_once(upload, names)


def _download_by_tool(name: str, place: str, source: str, names: Sequence[str]) -> Call:
    backend = backend_named(name)

    def download(each: str) -> None:
        target = f"{source}-{each}"
        backend.download(place, each, target)
        os.unlink(target)

    return lambda: _at_once(download, names)


def _download_by_store(name: str, place: str, source: str, locations: Sequence[str]) -> Call:
    store, _ = _open(name, place)

    def download(location: str) -> None:
        target = f"{source}-{uuid.uuid4().hex}"
        with open(target, "wb", buffering=0) as file:
            os.unlink(target)
            data = store.read(location)
            if isinstance(data, FileRange):
                _send(data, file.fileno())
            else:
                for block in data:
                    file.write(block)

    return lambda: _at_once(download, locations)


def _send(data: FileRange, target: int) -> None:
    """Let the kernel copy a local file, as the service does."""
    left = data.length
    while left:
        left -= os.sendfile(target, data.file.fileno(), data.offset + data.length - left, left)
    data.close()


def _open(name: str, place: str) -> tuple[Store, Buffers]:
    """Return the store, ready, and the memory that its transfers take and borrow."""
    store, buffers = Store(backend_named(name).driver(place)), Buffers()
    store.driver.use_buffers(buffers)
    store.driver.check()
    return store, buffers


def _at_once(call: Callable[[T], object], values: Iterable[T]) -> list[str]:
    values = list(values)
    with ThreadPoolExecutor(len(values)) as executor:
        return [str(result) for result in executor.map(call, values)]


def _chunks(path: str, blocks: Sequence[memoryview]) -> Iterator[memoryview]:
    """Yield the file in blocks of memory that are used in turn, as uploads do."""
    with open(path, "rb", buffering=0) as file:
        for block in cycle(blocks):
            if not (count := file.readinto(block)):
                return
            yield block[:count]


def _make_file(path: str, mib: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8, "big") + block[8:])
