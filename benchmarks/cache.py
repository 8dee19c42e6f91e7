"""The cache: a hit against a download from a file store, and cold readers that share one read of a web server."""

import contextlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import scenarios
from benchmarks.client import Client
from benchmarks.imports import options
from benchmarks.processes import cpu_seconds
from benchmarks.scenarios import MIB
from benchmarks.service import Service

READERS = 16

DELAY = 1.0
"""Seconds before the web server answers: a store that is far away, beside which the work of the requests is small."""


@dataclass
class WebServer:
    """A web server that sends the file at ``source`` from ``url``; ``requests`` are the first lines of its requests."""

    source: Path
    url: str
    log: Path

    @property
    def requests(self) -> list[str]:
        """Return the requests so far."""
        return self.log.read_text().splitlines()[1:]

    @property
    def gets(self) -> int:
        """Return the number of GETs so far."""
        return sum(line.startswith("GET") for line in self.requests)


@dataclass
class Timings:
    """Seconds and CPU seconds of the service of each read, by kind of read."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)


@contextlib.contextmanager
def web_server(size: int, folder: str | None) -> Iterator[WebServer]:
    """Yield a web server with a file of ``size`` random bytes in ``folder``."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, log = Path(name) / "source", Path(name) / "log"
        with source.open("wb") as file, open("/dev/urandom", "rb") as noise:
            for _ in range(0, size, MIB):
                file.write(noise.read(MIB))
        with log.open("wb") as output:
            command = [sys.executable, "-m", "benchmarks.web", str(source), str(DELAY)]
            process = subprocess.Popen(command, stdout=output)
        try:
            while not log.read_text().endswith("\n"):
                time.sleep(0.05)
            yield WebServer(source, f"http://127.0.0.1:{log.read_text().split()[0]}/", log)
        finally:
            process.kill()
            process.wait()


def sections(url: str, directory: str, size: int) -> str:
    """Return the configuration of a cache in ``directory``, for locations at ``url``."""
    cache = f"image_cache_dir = {directory}\nimage_cache_driver = sqlite\nimage_cache_max_size = {8 * size}\n"
    return f"[DEFAULT]\n{cache}do_secure_hash = false\n{options(url)}"


def hits(running: Service, web: WebServer, size: int, rounds: int) -> Timings:
    """Return the times of ``rounds`` reads from the file store and from the cache, in turn."""
    client = Client(running.url, running.token)
    stored, located = scenarios.create(client), locate(client, web, "hits")
    client.upload(stored, web.source, size)
    found = Timings()
    for number in range(rounds + 1):
        for name, image_id in (("file store", stored), ("cache", located)):
            cpu, begin = cpu_seconds(running.pid), time.perf_counter()
            if client.download(image_id) != size:
                raise RuntimeError("bytes are missing")
            if number:
                found.seconds.setdefault(name, []).append(time.perf_counter() - begin)
                found.cpu.setdefault(name, []).append(cpu_seconds(running.pid) - cpu)
        # The first whole read is verified; the next ones are sent by the kernel.
        time.sleep(0 if number else 2)
    return found


def cold_readers(running: Service, web: WebServer, name: str, count: int) -> list[float]:
    """Return the seconds to the first byte of each of ``count`` readers of an image that is not cached."""
    image_id = locate(Client(running.url, running.token), web, name)
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(count), context.SimpleQueue()

    def read() -> None:
        client = Client(running.url, running.token)
        client.call("GET", f"/v2/images/{image_id}")
        barrier.wait()
        begin, first = time.perf_counter(), [0.0]
        client.download(image_id, lambda: first.__setitem__(0, time.perf_counter() - begin))
        results.put(first[0])

    readers = [context.Process(target=read) for _ in range(count)]
    for reader in readers:
        reader.start()
    times = [results.get() for _ in readers]
    for reader in readers:
        reader.join()
    return times


def locate(client: Client, web: WebServer, name: str) -> str:
    """Return an active image whose data is on the web server."""
    image_id = scenarios.create(client)
    client.call("POST", f"/v2/images/{image_id}/locations", {"url": f"{web.url}{name}"})
    return image_id
