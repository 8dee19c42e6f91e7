"""Measures small requests, an upload and an import of others while one project does its worst."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks import processes
from benchmarks.client import Client
from benchmarks.service import Service

MIB = 1024 * 1024
BODIES, ANSWERS, LOCATIONS, DOWNLOADS = 200, 200, 100, 8
_SIZE = 64 * MIB
_SETTLING = 12
_PATIENCE = 30.0


def options(web: int) -> str:
    """Return the sections that let a service fetch from the port ``web`` of this machine."""
    return f"[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports = {web}\n"


def measure(service: Service, web: int) -> dict[str, float]:
    """Return figures by name: times in ms of small requests alone and under attack, of transfers, and memory in MiB."""
    other = replace(service, token=service.other_token)
    figures = {f"alone, {name}": value for name, value in _times(other).items()}
    figures |= {f"alone, {name}": value for name, value in _transfers(other).items()}
    before = processes.pss_mib(service.pid)
    with _attack(service, web):
        time.sleep(_SETTLING)
        figures |= {f"attacked, {name}": value for name, value in _times(other).items()}
        figures["added memory, MiB"] = processes.pss_mib(service.pid) - before
        figures |= {f"attacked, {name}": value for name, value in _transfers(other).items()}
    return figures


def _times(service: Service, count: int = 500) -> dict[str, float]:
    client = Client(service.url, service.token)
    image_id = _create(client)
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        client.call("GET", f"/v2/images/{image_id}")
        times.append(1000 * (time.perf_counter() - begin))
        time.sleep(0.02)
    fresh = []
    for _ in range(count // 5):
        begin = time.perf_counter()
        once = Client(service.url, service.token)
        once.call("GET", f"/v2/images/{image_id}")
        once.close()
        fresh.append(1000 * (time.perf_counter() - begin))
    return {
        "median": median(times),
        "99 % under": quantiles(times, n=100)[-1],
        "worst": max(times),
        "on a new connection, median": median(fresh),
        "on a new connection, worst": max(fresh),
    }


def _transfers(service: Service) -> dict[str, float]:
    client = Client(service.url, service.token)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.write_bytes(bytes(_SIZE))
        begin = time.perf_counter()
        client.upload(_create(client), source, _SIZE)
        uploaded = time.perf_counter()
        image_id = _create(client)
        client.stage(image_id, source, _SIZE)
        client.call("POST", f"/v2/images/{image_id}/import", {"method": {"name": "glance-direct"}})
        while client.call("GET", f"/v2/images/{image_id}")["status"] != "active":
            time.sleep(0.05)
            if time.perf_counter() - uploaded > _PATIENCE:
                return {"upload of 64 MiB": 1000 * (uploaded - begin), "staging and import": inf}
        imported = time.perf_counter()
    return {"upload of 64 MiB": 1000 * (uploaded - begin), "staging and import": 1000 * (imported - uploaded)}


@contextlib.contextmanager
def _attack(service: Service, web: int) -> Iterator[None]:
    client = Client(service.url, service.token)
    plan = {
        "url": service.url,
        "token": service.token,
        "web": web,
        "bodies": BODIES,
        "answers": ANSWERS,
        "images": [_create(client) for _ in range(LOCATIONS)],
    }
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.attackers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(plan) + "\n")
            process.stdin.flush()
            process.stdout.readline()
            client = Client(service.url, service.token)
            method = {"name": "web-download", "uri": f"http://127.0.0.1:{web}/data"}
            for _ in range(DOWNLOADS):
                client.call("POST", f"/v2/images/{_create(client)}/import", {"method": method})
            yield
        finally:
            process.kill()


def _create(client: Client) -> Any:
    return client.call("POST", "/v2/images", {"disk_format": "raw", "container_format": "bare"})["id"]
