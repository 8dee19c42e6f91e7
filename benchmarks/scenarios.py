"""Measures CPU of each kind of request: of the service's process tree, and of the database's if it is found."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from benchmarks import processes
from benchmarks.client import Client
from benchmarks.service import Service

MIB = 1024 * 1024
_PATCH = "application/openstack-images-v2.1-json-patch"


_COMMON = urlencode([(f"p{n}", f"value {n} of a middling length") for n in range(2, 10)]) + "&p1=v7&tag=all&tag=u7"
_ABSENT = urlencode([(f"absent{n}", "x") for n in range(21)])
"""Filters that many images of the seeded catalogue have, and that none has."""


@dataclass(frozen=True)
class Figure:
    """The cost of ``count`` operations: CPU of service and database in ms each, and the median time in ms."""

    name: str
    count: int
    server_ms: float
    database_ms: float
    median_ms: float

    def __str__(self) -> str:
        return (
            f"{self.name:28} {self.count:6} × server {self.server_ms:9.2f} ms"
            f"  database {self.database_ms:7.2f} ms  median {self.median_ms:8.2f} ms"
        )


def in_alternation(
    ours: Callable[[], list[Figure]], peers: Callable[[], list[Figure]], rounds: int = 3
) -> Iterator[str]:
    """Yield for each scenario the figures of both sides, medians of ``rounds``, and the peer's as multiples of ours."""
    found: list[tuple[list[Figure], list[Figure]]] = [(ours(), peers()) for _ in range(rounds)]
    for number, figure in enumerate(found[0][0]):
        own, other = ([each[side][number] for each in found] for side in (0, 1))
        cpu, cpu_of_peer = (median(each.server_ms for each in side) for side in (own, other))
        time_taken, time_of_peer = (median(each.median_ms for each in side) for side in (own, other))
        yield (
            f"{figure.name:28} server {cpu:9.2f} ms  peer {cpu_of_peer:9.2f} ms  {cpu_of_peer / max(cpu, 0.01):6.2f} ×"
            f"  median {time_taken:9.2f} ms  peer {time_of_peer:9.2f} ms  {time_of_peer / time_taken:6.2f} ×"
        )


class Meter:
    """Measures calls against one service."""

    def __init__(self, service: Service, database_pid: int | None) -> None:
        self.service = service
        self.client = Client(service.url, service.token)
        self._database_pid = database_pid

    def measure(self, name: str, calls: Sequence[Callable[[], object]]) -> Figure:
        """Make ``calls`` one after the other and return their cost."""
        times = []
        server, database = self._used()
        for call in calls:
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
        time.sleep(0.05)
        server_after, database_after = self._used()
        count = len(calls)
        return Figure(
            name,
            count,
            1000 * (server_after - server) / count,
            1000 * (database_after - database) / count,
            1000 * median(times),
        )

    def _used(self) -> tuple[float, float]:
        database = processes.cpu_seconds(self._database_pid) if self._database_pid else 0.0
        return processes.cpu_seconds(self.service.pid), database


def lists(meter: Meter, count: int = 200) -> list[Figure]:
    """Return the cost of the lists in a catalogue that has been seeded."""
    client = meter.client
    middle = client.call("GET", "/v2/images?limit=500")["images"][-1]["id"]
    figures = []
    for name, query, times in (
        ("list of 25", "limit=25", count),
        ("list of 25, in the middle", f"limit=25&marker={middle}", count),
        ("list by name", "name=seed-000500", count),
        ("list by property", "p1=v7&limit=25", count),
        ("list by tag", "tag=u7&limit=25", count),
        ("list by 11 common filters", f"{_COMMON}&limit=25", count),
        ("list by 32 filters", f"{_COMMON}&{_ABSENT}&limit=25", count),
        ("list by owner", f"owner={meter.service.project}&limit=25", count),
        ("list of 1,000", "limit=1000", max(5, count // 20)),
    ):
        path = f"/v2/images?{query}"
        client.call("GET", path)
        figures.append(meter.measure(name, [lambda path=path: client.call("GET", path)] * times))
    return figures


def small_requests(meter: Meter, count: int) -> list[Figure]:
    """Return the cost of show, lists and changes in a catalogue that has been seeded."""
    client = meter.client
    ids = [image["id"] for image in client.call("GET", "/v2/images?limit=200")["images"]]
    show(client, ids[0])
    figures = [
        meter.measure("show", [partial(show, client, ids[number % len(ids)]) for number in range(count)]),
        *lists(meter, count // 2),
    ]
    made: list[str] = []
    figures.append(meter.measure("create", [lambda: made.append(create(client))] * count))
    figures.append(meter.measure("patch", [partial(patch, client, each) for each in made]))
    figures.append(meter.measure("add a tag", [partial(tag, client, each) for each in made]))
    figures.append(meter.measure("delete", [partial(delete, client, each) for each in made]))
    return figures


def transfers(meter: Meter, size: int, memory: str | None, rounds: int = 3) -> list[Figure]:
    """Return the cost of an upload, fixed and chunked, and of a download of ``size`` bytes (CPU ms in all).

    Each is the median of ``rounds``, after one uncounted upload, because the first use of memory costs more.
    """
    client = meter.client
    found: dict[str, list[Figure]] = {"upload": [], "upload, chunked": [], "download": []}
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        source = Path(folder) / "source"
        _fill(source, size)
        for counted in (False, *[True] * rounds):
            for name, chunked in (("upload", False), ("upload, chunked", True)):
                image_id = create(client)
                upload = partial(client.upload, image_id, source, size, chunked)
                download = partial(_download, client, image_id, size)
                figures = [meter.measure(name, [upload]), meter.measure("download", [download])]
                delete(client, image_id)
                for figure in figures if counted else ():
                    found[figure.name].append(figure)
    return [sorted(figures, key=lambda figure: figure.server_ms)[len(figures) // 2] for figures in found.values()]


@dataclass(frozen=True)
class Together:
    """Several uploads at once: memory (PSS, MiB) before, at most during and after them, CPU seconds for each GiB."""

    before: float
    peak: float
    after: float
    cpu: float


def uploads_at_once(service: Service, count: int, size: int) -> Together:
    """Return the cost of ``count`` uploads of ``size`` bytes at once."""
    before, peak = processes.pss_mib(service.pid), 0.0
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        _fill(source, size)
        clients = [Client(service.url, service.token) for _ in range(count)]
        ids = [create(client) for client in clients]
        threads = [
            threading.Thread(target=client.upload, args=(image_id, source, size))
            for client, image_id in zip(clients, ids, strict=True)
        ]
        used = processes.cpu_seconds(service.pid)
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, processes.pss_mib(service.pid))
            time.sleep(0.05)
        used = processes.cpu_seconds(service.pid) - used
        for client, image_id in zip(clients, ids, strict=True):
            delete(client, image_id)
            client.close()
    return Together(before, peak, processes.pss_mib(service.pid), used * 1024 * MIB / (count * size))


def show(client: Client, image_id: str) -> object:
    """Show an image."""
    return client.call("GET", f"/v2/images/{image_id}")


def create(client: Client) -> str:
    """Create an image with 10 properties and 3 tags, and return its id."""
    body = {"name": "bench", "disk_format": "raw", "container_format": "bare", "tags": ["a", "b", "c"]}
    created: str = client.call("POST", "/v2/images", body | {f"p{n}": f"value {n}" for n in range(10)})["id"]
    return created


def patch(client: Client, image_id: str) -> object:
    """Change the name of an image."""
    change = [{"op": "replace", "path": "/name", "value": "changed"}]
    return client.call("PATCH", f"/v2/images/{image_id}", change, _PATCH)


def tag(client: Client, image_id: str) -> object:
    """Add a tag to an image."""
    return client.call("PUT", f"/v2/images/{image_id}/tags/added")


def delete(client: Client, image_id: str) -> object:
    """Delete an image."""
    return client.call("DELETE", f"/v2/images/{image_id}")


def _download(client: Client, image_id: str, size: int) -> None:
    if (got := client.download(image_id)) != size:
        raise RuntimeError(f"{got} bytes of {size} arrived")


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file, open("/dev/urandom", "rb") as noise:
        for _ in range(0, size, MIB):
            file.write(noise.read(MIB))
