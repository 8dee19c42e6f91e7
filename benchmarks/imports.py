"""Compares imports through the whole service with the best that the machine can do, each ratio in one round.

The best: hashing the file once, in memory, and ``curl`` piped into two hash programs.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import processes
from benchmarks.client import Client
from benchmarks.service import Service

MIB = 1024 * 1024

STORES = ("one", "two", "three")

_PIPE = "set -o pipefail; curl -s {url} | tee >(md5sum >&2) | sha512sum; wait $!"
_POLL_SECONDS = 0.01


@dataclass
class Times:
    """Measured seconds by name, one value for each round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, name: str, call: Callable[[], object]) -> None:
        """Add how long ``call`` takes."""
        begin = time.perf_counter()
        call()
        self.seconds.setdefault(name, []).append(time.perf_counter() - begin)

    def ratio(self, name: str, to: str) -> float:
        """Return the median of the ratios of two measurements within a round."""
        return median(one / other for one, other in zip(self.seconds[name], self.seconds[to], strict=True))


@contextlib.contextmanager
def web_server(size: int, folder: str | None) -> Iterator[tuple[Path, str]]:
    """Yield a file of ``size`` random bytes in ``folder`` and a loopback URL that sends it."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / "source"
        with path.open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
        command = [sys.executable, "-m", "benchmarks.web", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield path, f"http://127.0.0.1:{process.stdout.readline().strip()}/"
            finally:
                process.kill()


def options(url: str) -> str:
    """Return the sections that let a service import from ``url``."""
    port = url.rstrip("/").rpartition(":")[2]
    return f"[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports = {port}\n"


def rounds(running: Service, source: Path, url: str, count: int) -> tuple[Times, float]:
    """Return the times of ``count`` rounds after an uncounted one, and the bytes that a glance-direct import wrote.

    The bytes are those that the service wrote to files, per byte of the image.
    """
    times, written = Times(), 0.0
    for number in range(count + 1):
        times = Times() if number == 1 else times
        times.measure("hash once", lambda: _hash(source))
        times.measure(
            "curl and two hashes",
            lambda: subprocess.run(["bash", "-c", _PIPE.format(url=url)], check=True, capture_output=True),
        )
        image = _create(running)
        Client(running.url, running.token).stage(image, source, source.stat().st_size)
        before = _written(running.pid)
        times.measure("glance-direct", lambda: _import(running, image, {"name": "glance-direct"}, STORES[:1]))  # noqa: B023
        written = (_written(running.pid) - before) / source.stat().st_size
        _delete(running, image)
        for stores in (STORES[:1], STORES):
            import_once(times, running, url, stores, f"web-download to {len(stores)}")
    return times, written


def import_once(times: Times, running: Service, url: str, stores: tuple[str, ...], name: str | None = None) -> None:
    """Measure a web-download to ``stores``, whose ids are its name if it has none, and delete the image."""
    image = _create(running)
    method = {"name": "web-download", "uri": url}
    times.measure(name or ", ".join(stores), lambda: _import(running, image, method, stores))
    _delete(running, image)


def _hash(path: Path) -> None:
    hashes = (hashlib.md5(usedforsecurity=False), hashlib.sha512())
    with path.open("rb", buffering=0) as file:
        while block := file.read(MIB):
            for each in hashes:
                each.update(block)


def _create(running: Service) -> str:
    body = {"disk_format": "raw", "container_format": "bare"}
    image: str = Client(running.url, running.token).call("POST", "/v2/images", body)["id"]
    return image


def _delete(running: Service, image: str) -> None:
    """Delete an image and flush the disk, so that it does not affect the next measurement."""
    Client(running.url, running.token).call("DELETE", f"/v2/images/{image}")
    os.sync()


def _import(running: Service, image: str, method: dict[str, str], stores: tuple[str, ...]) -> None:
    """Import and return when the image is active; raises RuntimeError if it fails."""
    client = Client(running.url, running.token)
    client.call("POST", f"/v2/images/{image}/import", {"method": method, "stores": list(stores)})
    while (found := client.call("GET", f"/v2/images/{image}"))["status"] != "active":
        if found["status"] != "importing":
            raise RuntimeError(client.call("GET", f"/v2/images/{image}/tasks")["tasks"][0]["message"])
        time.sleep(_POLL_SECONDS)


def _written(pid: int) -> int:
    """Return the bytes that the processes of a service have passed to the kernel to write to files."""
    total = 0
    for each in processes.tree(pid):
        with contextlib.suppress(OSError), open(f"/proc/{each}/io", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("write_bytes:"))
    return total
