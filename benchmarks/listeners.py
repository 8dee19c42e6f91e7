"""Small requests while many clients follow the events: none, all of them silent, and all of them told of changes."""

import contextlib
import multiprocessing
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from benchmarks import processes, scenarios
from benchmarks.client import Client
from benchmarks.service import Service

CHANGES = 5
"""Changes of images a second, each told to all listeners."""


@dataclass(frozen=True)
class Figures:
    """``memory_mib`` that the listeners take (PSS), and of small requests the median and the 99th percentile in ms."""

    memory_mib: float
    times: dict[str, tuple[float, float]]


def options(count: int) -> str:
    """Return the configuration that lets one caller have ``count`` listeners."""
    return f"[events]\nmax_listeners = {2 * count}\nmax_listeners_per_caller = {2 * count}\n"


def measure(service: Service, count: int, requests: int) -> Figures:
    """Return the figures of ``requests`` small requests without, with and again without ``count`` listeners."""
    client = Client(service.url, service.token)
    image_id = scenarios.create(client)
    times = {"alone": _times(client, image_id, requests)}
    # A change wakes what the first listener starts: it is there before the others count.
    with _listeners(service, 2):
        before = processes.pss_mib(service.pid)
    with _listeners(service, count):
        times["silent listeners"] = _times(client, image_id, requests)
        with _changes(service):
            times[f"{CHANGES} changes a second told to all"] = _times(client, image_id, requests)
        memory = processes.pss_mib(service.pid) - before
    times["alone again"] = _times(client, image_id, requests)
    with _changes(service):
        times[f"{CHANGES} changes a second, no listeners"] = _times(client, image_id, requests)
    return Figures(memory, times)


def _times(client: Client, image_id: str, count: int) -> tuple[float, float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        scenarios.show(client, image_id)
        times.append(1000 * (time.perf_counter() - begin))
        time.sleep(0.01)
    return median(times), sorted(times)[int(0.99 * count)]


@contextlib.contextmanager
def _listeners(service: Service, count: int) -> Iterator[None]:
    """Hold ``count`` streams of events, in a process of their own that reads what comes."""
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_listen, args=(service, count, ready, done))
    process.start()
    try:
        if not ready.wait(60):
            raise RuntimeError("the listeners did not come")
        yield
    finally:
        done.set()
        process.join()
    if process.exitcode:
        raise RuntimeError("a listener was dropped")


def _listen(service: Service, count: int, ready: Any, done: Any) -> None:
    parts, poll, streams = urlsplit(service.url), select.epoll(), {}
    head = f"GET /v2/events HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {service.token}\r\n\r\n".encode()
    for _ in range(count):
        stream = socket.create_connection((str(parts.hostname), int(parts.port or 80)), 30)
        stream.sendall(head)
        if not stream.recv(1024).startswith(b"HTTP/1.1 200"):
            raise RuntimeError("a listener was refused")
        streams[stream.fileno()] = stream
        poll.register(stream, select.EPOLLIN)
    ready.set()
    while not done.is_set():
        for descriptor, _ in poll.poll(0.2):
            if not streams[descriptor].recv(65536):
                raise RuntimeError("a listener was dropped")


@contextlib.contextmanager
def _changes(service: Service) -> Iterator[None]:
    """Change an image CHANGES times a second."""
    done = threading.Event()

    def change() -> None:
        client = Client(service.url, service.token)
        image_id = scenarios.create(client)
        while not done.wait(1 / CHANGES):
            scenarios.patch(client, image_id)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
