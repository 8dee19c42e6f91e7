"""Small requests on several connections at once, each from a process of its own."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import quantiles

from benchmarks import scenarios
from benchmarks.client import Client
from benchmarks.service import Service

Act = Callable[[Client, str], object]
"""Sends one request about the image of an id."""

ACTS: dict[str, Act] = {
    "show": scenarios.show,
    "create": lambda client, _: scenarios.create(client),
    "patch": scenarios.patch,
    "add a tag": scenarios.tag,
    "delete": scenarios.delete,
}


def rates(service: Service, connections: int, count: int) -> dict[str, list[float]]:
    """Return the times in ms of ``count`` requests of each kind on each connection; deletes come last."""
    client = Client(service.url, service.token)
    ids = [[scenarios.create(client) for _ in range(count)] for _ in range(connections)]
    return {name: _together(service, name, ids) for name in ACTS}


def at_the_99th(times: Sequence[float]) -> float:
    """Return the 99th percentile of ``times``."""
    return quantiles(times, n=100)[98]


def _together(service: Service, name: str, ids: Sequence[Sequence[str]]) -> list[float]:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(ids))
    results = context.SimpleQueue()
    work = partial(_work, service, name, barrier.wait, results.put)
    running = [context.Process(target=work, args=(each,)) for each in ids]
    for process in running:
        process.start()
    times = [time for _ in running for time in results.get()]
    for process in running:
        process.join()
    return times


def _work(
    service: Service, name: str, wait: Callable[[], object], put: Callable[[list[float]], object], ids: Sequence[str]
) -> None:
    client, times = Client(service.url, service.token), []
    scenarios.show(client, ids[0])
    wait()
    for image_id in ids:
        begin = time.perf_counter()
        ACTS[name](client, image_id)
        times.append(1000 * (time.perf_counter() - begin))
    put(times)
