"""Incremental images: the complete disk of a chain of three against a plain download, and what was sent and stored.

The base is a qcow2 of noise; each of the two images above it changes 32 MiB in scattered pieces of 64 KiB. ``qemu-img``
and ``qemu-io`` make them.
"""

import hashlib
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.client import Client
from benchmarks.processes import cpu_seconds
from benchmarks.service import Service
from glance_mini.content.qcow2.block_hashes import hash_blocks
from glance_mini.content.qcow2.complete import CompleteDisk, make_index
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.source import FileSource
from glance_mini.jobs.block_hashes import THREADS

KIB, MIB = 1024, 1024 * 1024
CHANGES = 512
"""Pieces of 64 KiB that each image changes."""

CONVERT, HASHES = "qemu-img convert", "md5 and sha512 of the complete disk alone"

NAMES = ("top", "middle", "base")
DISK = 4096
"""MiB of the guest's disk."""


def make(folder: Path, mib: int) -> None:
    """Make the three files in ``folder``; the base holds ``mib`` MiB of data."""
    generator = random.Random(1)
    with (folder / "raw").open("wb") as file, open("/dev/urandom", "rb") as noise:
        for _ in range(mib):
            file.write(noise.read(MIB))
        file.truncate(max(DISK, mib) * MIB)
    _run(folder, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "raw", "base")
    (folder / "raw").unlink()
    for name, base in (("middle", "base"), ("top", "middle")):
        _run(folder, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", name)
        places = [generator.randrange(mib * 16) * 64 for _ in range(CHANGES)]
        writes = [f"write -P {generator.randrange(1, 256)} {place}k 64k" for place in places]
        _run(folder, "qemu-io", "-t", "unsafe", *(word for write in writes for word in ("-c", write)), name)


def upload(client: Client, folder: Path) -> list[str]:
    """Upload the three files, each above the one before; return the ids, the top first."""
    ids: list[str] = []
    for name in reversed(NAMES):
        body = {"name": name, "disk_format": "qcow2", "container_format": "bare"}
        body |= {"os_base_image": ids[0]} if ids else {}
        ids.insert(0, client.call("POST", "/v2/images", body)["id"])
        client.upload(ids[0], folder / name, (folder / name).stat().st_size)
    return ids


def run(running: Service, folder: Path, mib: int, rounds: int) -> Iterator[str]:
    """Yield lines with the figures."""
    make(folder, mib)
    sizes = {name: (folder / name).stat().st_size for name in NAMES}
    yield f"files: {', '.join(f'{name} {size / MIB:.0f} MiB' for name, size in sizes.items())}"
    client = Client(running.url, running.token)
    ids = dict(zip(NAMES, upload(client, folder), strict=True))
    while any(client.call("GET", f"/v2/images/{each}")["os_hash_value"] is None for each in ids.values()):
        # The jobs that read the complete disks have not ended.
        time.sleep(0.5)
    seconds: dict[str, list[float]] = {"base": [], "top": []}
    cpu: dict[str, list[float]] = {"base": [], "top": []}
    for number in range(rounds + 1):
        for name in seconds:
            begin, before = time.perf_counter(), cpu_seconds(running.pid)
            got = client.download(ids[name])
            if number:
                seconds[name].append((time.perf_counter() - begin) / got * 1024 * MIB)
                cpu[name].append((cpu_seconds(running.pid) - before) / got * 1024 * MIB)
    for name, text in (("base", "plain download"), ("top", "complete disk")):
        yield f"{text}: {median(seconds[name]):.2f} s and {median(cpu[name]):.2f} s CPU a GiB"
    ratio = median(plain / made for plain, made in zip(seconds["base"], seconds["top"], strict=True))
    yield f"speed of the complete disk: {ratio:.2f} of the plain download"
    coalesced = _coalesce(client, ids["top"])
    floor: list[float] = []
    for line, seconds_taken in _content(folder, rounds):
        floor += [seconds_taken] if line in (CONVERT, HASHES) else []
        yield f"{line}: {seconds_taken:.2f} s"
    yield f"coalescing, as a job: {coalesced:.2f} s, {max(floor) / coalesced:.2f} of the slower of convert and hashes"
    yield f"size of the complete disk: {(folder / 'complete').stat().st_size / MIB:.0f} MiB"


def _coalesce(client: Client, image: str) -> float:
    """Return the seconds that a worker needed to coalesce an image."""
    client.call("POST", f"/v2/images/{image}/actions/coalesce")
    begin = time.perf_counter()
    while (task := client.call("GET", f"/v2/images/{image}/tasks")["tasks"][-1])["status"] in ("pending", "processing"):
        time.sleep(0.02)
    if task["status"] != "success":
        raise RuntimeError(task["message"])
    return time.perf_counter() - begin


def _content(folder: Path, rounds: int) -> Iterator[tuple[str, float]]:
    """Yield the figures of the work itself, without a service: what, and its seconds."""
    steps: dict[str, Callable[[], object]] = {
        CONVERT: lambda: _run(folder, "qemu-img", "convert", "-O", "qcow2", "top", "converted"),
        HASHES: lambda: _hash(folder / "converted"),
        "complete disk, hashed and written": lambda: _write(folder, folder / "complete"),
        "index": lambda: make_index(_chain(folder)),
        "hashes of blocks": lambda: [None for _ in hash_blocks(_chain(folder), threads=THREADS)],
        "sha256 of the base's file": lambda: _hash(folder / "base", "sha256"),
    }
    for text, step in steps.items():
        found = []
        for _ in range(rounds):
            begin = time.perf_counter()
            step()
            found.append(time.perf_counter() - begin)
        yield text, median(found)
    _run(folder, "qemu-img", "compare", "complete", "top")


def _chain(folder: Path) -> Chain:
    return Chain([Level(FileSource((folder / name).open("rb")), "qcow2") for name in NAMES])


def _write(folder: Path, path: Path) -> None:
    hashes = (hashlib.md5(usedforsecurity=False), hashlib.sha512())
    with path.open("wb") as file:
        for chunk in CompleteDisk(_chain(folder)).read():
            for each in hashes:
                each.update(chunk)
            file.write(chunk)
        os.fsync(file.fileno())


def _hash(path: Path, *names: str) -> None:
    hashes = [hashlib.new(name) for name in names or ("md5", "sha512")]
    with path.open("rb") as file:
        while block := file.read(MIB):
            for each in hashes:
                each.update(block)


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
