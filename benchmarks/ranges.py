"""Reads of one object in an S3 service by one connection and in several ranges, near and far."""

import os
import uuid
from collections.abc import Iterator
from itertools import product
from statistics import median
from types import SimpleNamespace

from benchmarks.backend_s3 import S3Backend
from benchmarks.measuring import Call, measure
from benchmarks.relay import Relay
from glance_mini_store.buffers import MIB, Buffers
from glance_mini_store.drivers.s3 import S3Driver

DISTANCES = {
    "near": (0.0, None),
    "20 ms": (0.01, None),
    "50 ms": (0.025, None),
    "40 MB/s for each connection": (0.0, 40e6),
}
"""Delay in seconds for each direction, and bytes per second for each connection."""

COUNTS = (0, 2, 4, 8)


def run(mib: int, rounds: int) -> Iterator[str]:
    """Yield a line with the median of ``rounds`` for each distance: seconds for each number of ranges."""
    backend = S3Backend()
    place = backend.prepare()
    address = str(backend.options(place)["s3_store_host"])
    try:
        driver = backend.driver(place)
        block = os.urandom(MIB)
        location = driver.write(uuid.uuid4().hex, (block for _ in range(mib)), mib * MIB).location
        for name, (delay, rate) in DISTANCES.items():
            with Relay(address.removeprefix("http://"), delay, rate) as relay:
                there = address if name == "near" else f"http://{relay}"
                seconds: dict[int, list[float]] = {}
                for _, count in product(range(rounds), COUNTS):
                    options = {**backend.options(place), "s3_store_host": there, "s3_store_read_ranges": count}
                    found = measure(_read, options, location.replace(address.removeprefix("http://"), there[7:]))
                    seconds.setdefault(count, []).append(found.seconds)
                yield name + "".join(f"  {count}: {median(seconds[count]):.2f} s" for count in COUNTS)
    finally:
        backend.remove(place)


def _read(options: dict[str, object], location: str) -> Call:
    values = {option.dest: option.default for option in S3Driver.options} | options
    driver = S3Driver.from_config(SimpleNamespace(**values), "benchmark")
    driver.use_buffers(Buffers())
    driver.check()

    def read() -> list[str]:
        return [str(sum(len(block) for block in driver.read(location)))]

    return read
