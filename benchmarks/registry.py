"""What a registry before the database costs: time of a show and of a list, memory of an API process."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import processes
from benchmarks.client import Client
from benchmarks.seed import image_id, seed
from benchmarks.service import Service, database, free_port, service
from glance_mini.operations.base import Role
from glance_mini.registry.authority import Authority

_REGISTRY = """
[database]
connection = {connection}
[registry_service]
bind = 127.0.0.1:{port}
workers = {workers}
certificate = {tls}/registry.pem
key = {tls}/registry-key.pem
client_ca = {tls}/ca.pem
"""

_NODE = """
[database]
data_access = registry
[registry]
endpoints = https://localhost:{port}
certificate = {tls}/node.pem
key = {tls}/node-key.pem
ca_file = {tls}/ca.pem
"""

_SMALL = 100
"""Shows in a row at one service before the other has its turn."""


def run(server: str, workers: int, images: int, rounds: int) -> Iterator[str]:
    """Yield the figures; both services run at the same time on one database, and take turns."""
    with (
        database(server) as connection,
        service(connection, workers) as direct,
        tempfile.TemporaryDirectory() as folder,
        _registry(Path(folder), connection, workers) as node,
        service(None, workers, sections=node) as remote,
    ):
        seed(connection, images, direct.project)
        clients = {"direct": Client(direct.url, direct.token), "registry": Client(remote.url, remote.token)}
        shows: dict[str, list[float]] = {name: [] for name in clients}
        lists: dict[str, list[float]] = {name: [] for name in clients}
        for number in range(rounds + 1):
            for name, client in clients.items():
                one = [_seconds(client, f"/v2/images/{image_id(9 * index)}") for index in range(_SMALL)]
                page = [_seconds(client, "/v2/images?limit=1000") for _ in range(3)]
                if number:
                    # The first round fills caches and makes connections.
                    shows[name] += one
                    lists[name] += page
        show = {name: median(times) * 1000 for name, times in shows.items()}
        yield f"show:          direct {show['direct']:6.2f} ms  registry {show['registry']:6.2f} ms  more " + (
            f"{show['registry'] - show['direct']:5.2f} ms"
        )
        page_ms = {name: median(times) * 1000 for name, times in lists.items()}
        yield f"list of 1,000: direct {page_ms['direct']:6.2f} ms  registry {page_ms['registry']:6.2f} ms  more " + (
            f"{page_ms['registry'] / page_ms['direct'] - 1:5.2f} of its time"
        )
        memory = {"direct": _memory(direct), "registry": _memory(remote)}
        yield f"memory of the largest process: direct {memory['direct']:.0f} MiB  registry {memory['registry']:.0f} MiB"


@contextlib.contextmanager
def _registry(folder: Path, connection: str, workers: int) -> Iterator[str]:
    """Yield the sections of the configuration of a node that uses a registry on ``connection``."""
    authority = Authority(folder)
    authority.issue("registry", (), ("localhost",))
    authority.issue("node", (Role.API, Role.WORKER))
    port = free_port()
    configuration = folder / "registry.conf"
    configuration.write_text(_REGISTRY.format(connection=connection, port=port, workers=workers, tls=folder))
    command = [sys.executable, "-m", "glance_mini.cmd.registry", "serve", "--config-file", str(configuration)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline(), "the registry did not start"
        yield _NODE.format(port=port, tls=folder)
    finally:
        process.terminate()
        process.wait(60)


def _seconds(client: Client, path: str) -> float:
    begin = time.perf_counter()
    client.call("GET", path)
    return time.perf_counter() - begin


def _memory(running: Service) -> float:
    """Return the memory (PSS) of the largest process of the service in MiB."""
    return max(map(processes.own_pss_mib, processes.tree(running.pid)))
