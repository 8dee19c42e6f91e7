"""The blocks of a sparse disk: how long the job takes that makes their hashes, and how long a page of them takes.

The disk has 100 GiB, of which 2 GiB are allocated in pieces of 1 MiB. What the job is compared with is to read the
stored file once; both find nothing of it in the page cache. ``qemu-img`` and ``qemu-io`` make the disk.
"""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.client import Client
from benchmarks.service import Service

MIB = 1024 * 1024
GIB = 100
_READ = 256 * 1024


def make(path: Path, mib: int) -> None:
    """Make a qcow2 with ``mib`` MiB of data."""
    generator = random.Random(1)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, f"{GIB}G"], check=True)
    places = generator.sample(range(GIB * 1024), mib)
    writes = [word for place in places for word in ("-c", f"write -q -P {generator.randrange(1, 256)} {place}M 1M")]
    subprocess.run(["qemu-io", "-t", "unsafe", *writes, path], check=True, stdout=subprocess.DEVNULL)


def run(running: Service, folder: Path, mib: int, rounds: int) -> Iterator[str]:
    """Yield lines with the figures."""
    path = folder / "sparse"
    make(path, mib)
    client = Client(running.url, running.token)
    jobs, reads, pages = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        image = client.call("POST", "/v2/images", {"disk_format": "qcow2", "container_format": "bare"})["id"]
        client.upload(image, path, path.stat().st_size)
        (stored,) = (running.folder / "images").glob(f"{image}*")
        reads.append(_read(stored))
        _forget(stored)
        begin = time.perf_counter()
        while (page := client.call("GET", f"/v2/images/{image}/blocks")) is None:
            time.sleep(0.02)
        jobs.append(time.perf_counter() - begin)
        for _ in range(5):
            begin = time.perf_counter()
            page = client.call("GET", f"/v2/images/{image}/blocks")
            pages.append(time.perf_counter() - begin)
        client.call("DELETE", f"/v2/images/{image}")
    yield f"{GIB} GiB, {mib} MiB allocated; read once: {median(reads):.2f} s"
    ratio = median(job / read for job, read in zip(jobs, reads, strict=True))
    yield f"hashes of the blocks, as a job: {median(jobs):.2f} s, {ratio:.2f} of reading"
    yield f"first page, {len(page['blocks'])} blocks: {median(pages) * 1000:.0f} ms"


def _forget(path: Path) -> None:
    """Take a file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(path: Path) -> float:
    """Return the seconds to read a file that is not in the page cache."""
    _forget(path)
    begin = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(_READ):
            pass
    return time.perf_counter() - begin
