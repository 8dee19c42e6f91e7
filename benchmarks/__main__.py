"""``python -m benchmarks COMMAND``: each command starts a service of its own, measures, and cleans up."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import (
    attack,
    backends,
    blocks,
    cache,
    chain,
    claims,
    crowd,
    imports,
    listeners,
    metadefs,
    migration,
    parallel,
    processes,
    ranges,
    registry,
    scenarios,
    sparse,
    three_stores,
    uploads,
)
from benchmarks.glance import started
from benchmarks.seed import seed
from benchmarks.service import Service, database, free_port, make_certificate, service

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"

_PEER = "the Python of an environment with glance, gunicorn and psycopg2, to be measured in alternation"


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--server", default=POSTGRESQL, help="SQLAlchemy URL of the database server")
    parser.add_argument("--database-process", default="postgres", help="command of the database server, for its CPU")
    parser.add_argument("--workers", type=int, default=2)
    commands = parser.add_subparsers(dest="command", required=True)
    requests = commands.add_parser("requests", help="CPU of small requests in a seeded catalogue")
    requests.add_argument("--images", type=int, default=10_000)
    requests.add_argument("--count", type=int, default=400)
    requests.add_argument("--peer", help=_PEER)
    data = commands.add_parser("data", help="CPU of transfers and the memory of several at once")
    data.add_argument("--mib", type=int, default=1024)
    data.add_argument("--memory", help="a folder in memory for the source, such as /dev/shm")
    data.add_argument("--sha256", action="store_true", help="hash with sha256 alone, without md5")
    data.add_argument("--page-cache", action="store_true", help="without direct I/O")
    data.add_argument("--peer", help=_PEER)
    resumed = commands.add_parser("uploads", help="uploads that go on: in one piece, broken, and in parts at once")
    resumed.add_argument("--mib", type=int, default=1024)
    resumed.add_argument("--rounds", type=int, default=3)
    resumed.add_argument("--memory", help="a folder in memory for the source, such as /dev/shm")
    imports = commands.add_parser("imports", help="time of imports against hashing alone and curl")
    imports.add_argument("--mib", type=int, default=1024)
    imports.add_argument("--rounds", type=int, default=5)
    imports.add_argument("--memory", help="a folder in memory for the source, such as /dev/shm")
    cached = commands.add_parser("cache", help="a hit of the cache against a file store, and cold readers at once")
    cached.add_argument("--mib", type=int, default=1024)
    cached.add_argument("--rounds", type=int, default=5)
    cached.add_argument("--memory", help="a folder in memory for the source, such as /dev/shm")
    growth = commands.add_parser("growth", help="time of lists in a small and a large catalogue")
    growth.add_argument("--sizes", default="1000,200000")
    claims = commands.add_parser("claims", help="cost of a claim of a job, on the server and on SQLite")
    claims.add_argument("--jobs", type=int, default=1000)
    claims.add_argument("--rounds", type=int, default=3)
    commands.add_parser("crowd", help="small requests among slow and half-open connections")
    listening = commands.add_parser("listeners", help="small requests while many clients follow the events")
    listening.add_argument("--count", type=int, default=1000)
    listening.add_argument("--requests", type=int, default=400)
    spaces = commands.add_parser("metadefs", help="CPU of lists of metadata definitions with their resource types")
    spaces.add_argument("--count", type=int, default=50)
    spaces.add_argument("--peer", help=_PEER)
    attacked = commands.add_parser("attack", help="small requests while one project does its worst")
    attacked.add_argument("--tls", action="store_true", help="over TLS")
    together = commands.add_parser("parallel", help="small requests on several connections at once")
    together.add_argument("--images", type=int, default=10_000)
    together.add_argument("--count", type=int, default=300)
    backend = commands.add_parser("backend", help="one object in a backend against its own tool and hashing alone")
    backend.add_argument("name", choices=sorted(backends.BACKENDS))
    backend.add_argument("--mib", type=int, default=1024)
    backend.add_argument("--rounds", type=int, default=3)
    backend.add_argument("--at-once", type=int, default=1, help="move the bytes as so many objects at the same time")
    backend.add_argument("--peer", help="a Python in whose environment glance_store is installed, to be measured too")
    backend.add_argument("--memory", default=tempfile.gettempdir(), help="a folder in memory, such as /dev/shm")
    thin = commands.add_parser("sparse", help="an image of which a tenth is data, on a file store and in Ceph")
    thin.add_argument("--gib", type=int, default=10)
    thin.add_argument("--folder", default=tempfile.gettempdir(), help="a folder for the file store")
    chained = commands.add_parser("chain", help="the complete disk of three incremental images against a plain one")
    chained.add_argument("--mib", type=int, default=1024)
    chained.add_argument("--rounds", type=int, default=5)
    chained.add_argument("--memory", help="a folder in memory for the files, such as /dev/shm")
    hashed = commands.add_parser("blocks", help="hashes of the blocks of a sparse disk of 100 GiB")
    hashed.add_argument("--mib", type=int, default=2048)
    hashed.add_argument("--rounds", type=int, default=3)
    hashed.add_argument("--memory", help="a folder in memory for the disk, such as /dev/shm")
    stores = commands.add_parser("stores", help="imports to a file, an S3 and an rbd store at once and alone")
    stores.add_argument("--mib", type=int, default=1024)
    stores.add_argument("--rounds", type=int, default=3)
    stores.add_argument("--memory", help="a folder in memory for the source, such as /dev/shm")
    in_ranges = commands.add_parser("ranges", help="reads from S3 in several ranges at once, near and far")
    in_ranges.add_argument("--mib", type=int, default=256)
    in_ranges.add_argument("--rounds", type=int, default=3)
    moved = commands.add_parser("migration", help="time and memory of taking images over from a Glance database")
    moved.add_argument("--images", type=int, default=100_000)
    hop = commands.add_parser("registry", help="what a registry between the service and the database costs")
    hop.add_argument("--images", type=int, default=2000)
    hop.add_argument("--rounds", type=int, default=5)
    commands.add_parser("start", help="import time and time to the first answer")
    arguments = parser.parse_args()
    globals()[f"run_{arguments.command}"](arguments)


def run_backend(arguments: argparse.Namespace) -> None:
    """Print seconds, memory and ratios of an upload and a download."""
    sizes = (arguments.mib, arguments.rounds, arguments.memory)
    for line in backends.run(arguments.name, *sizes, at_once=arguments.at_once, peer=arguments.peer):
        print(line, flush=True)


def run_stores(arguments: argparse.Namespace) -> None:
    """Print the times of imports to each store and to all."""
    sizes = (arguments.mib, arguments.rounds, arguments.memory)
    for line in three_stores.run(arguments.server, arguments.workers, *sizes):
        print(line, flush=True)


def run_ranges(arguments: argparse.Namespace) -> None:
    """Print seconds by the number of ranges at once."""
    for line in ranges.run(arguments.mib, arguments.rounds):
        print(line, flush=True)


@contextmanager
def service_and_folder(arguments: argparse.Namespace) -> Iterator[tuple[Service, Path]]:
    """Yield a service with a new database, and a new folder for files, in ``--memory`` if that is given."""
    with (
        tempfile.TemporaryDirectory(dir=arguments.memory) as folder,
        database(arguments.server) as connection,
        service(connection, arguments.workers) as running,
    ):
        yield running, Path(folder)


def run_chain(arguments: argparse.Namespace) -> None:
    """Print times of downloads and of the work on the files."""
    with service_and_folder(arguments) as (running, folder):
        for line in chain.run(running, folder, arguments.mib, arguments.rounds):
            print(line, flush=True)


def run_blocks(arguments: argparse.Namespace) -> None:
    """Print the time of the hashes of blocks, and of a page of them."""
    with service_and_folder(arguments) as (running, folder):
        for line in blocks.run(running, folder, arguments.mib, arguments.rounds):
            print(line, flush=True)


def run_registry(arguments: argparse.Namespace) -> None:
    """Print the time of small requests and the memory with and without a registry."""
    for line in registry.run(arguments.server, arguments.workers, arguments.images, arguments.rounds):
        print(line, flush=True)


def run_sparse(arguments: argparse.Namespace) -> None:
    """Print what a sparse image takes, and how long it is written and read."""
    for line in sparse.run(arguments.gib, arguments.folder):
        print(line, flush=True)


def run_requests(arguments: argparse.Namespace) -> None:
    """Print the cost of every small request."""
    with (
        database(arguments.server) as connection,
        service(connection, arguments.workers) as running,
        _peer(arguments, arguments.images) as other,
    ):
        seed(connection, arguments.images, running.project)
        measure = partial(scenarios.small_requests, count=arguments.count)
        for figure in _compare(arguments, running, other, measure):
            print(figure, flush=True)
        print(f"memory after all requests: {processes.pss_mib(running.pid):.0f} MiB (PSS)")


def run_data(arguments: argparse.Namespace) -> None:
    """Print the cost of transfers."""
    size = arguments.mib * scenarios.MIB
    sections = "[DEFAULT]\nhashing_algorithm = sha256\ncompute_checksum = false\n" if arguments.sha256 else ""
    if arguments.page_cache:
        sections += "[glance_store]\nfilesystem_direct_io = false\n"
    with (
        database(arguments.server) as connection,
        service(connection, arguments.workers, sections=sections) as running,
        _peer(arguments, 0) as other,
    ):
        measure = partial(scenarios.transfers, size=size, memory=arguments.memory, rounds=1 if other else 3)
        for figure in _compare(arguments, running, other, measure):
            print(figure, flush=True)
        together = scenarios.uploads_at_once(running, 8, size // 4)
        print(f"8 uploads at once: {together.cpu:.2f} s of CPU for each GiB")
        print(f"memory (PSS): {together.before:.0f} MiB before, {together.peak:.0f} during, {together.after:.0f} after")


def run_uploads(arguments: argparse.Namespace) -> None:
    """Print the cost of uploads that go on."""
    with service_and_folder(arguments) as (running, folder):
        source = folder / "disk"
        source.write_bytes(os.urandom(scenarios.MIB) * arguments.mib)
        for line in uploads.run(running, source, arguments.rounds):
            print(line, flush=True)


def run_imports(arguments: argparse.Namespace) -> None:
    """Print the times of imports and their ratios."""
    size = arguments.mib * scenarios.MIB
    with (
        imports.web_server(size, arguments.memory) as (source, url),
        database(arguments.server) as connection,
        service(connection, arguments.workers, imports.STORES, imports.options(url)) as running,
    ):
        times, written = imports.rounds(running, source, url, arguments.rounds)
    for name, seconds in times.seconds.items():
        print(f"{name:24} {median(seconds):6.2f} s")
    print(f"glance-direct / hash once              {times.ratio('glance-direct', 'hash once'):5.2f}")
    print(f"glance-direct, bytes written           {written:5.2f} of the image's size")
    print(f"web-download to 1 / curl               {times.ratio('web-download to 1', 'curl and two hashes'):5.2f}")
    print(f"web-download to 3 / web-download to 1  {times.ratio('web-download to 3', 'web-download to 1'):5.2f}")


def run_cache(arguments: argparse.Namespace) -> None:
    """Print the ratio of a hit to a file store, what cold readers cost the web server, and their first bytes."""
    size = arguments.mib * scenarios.MIB
    with (
        cache.web_server(size, arguments.memory) as web,
        tempfile.TemporaryDirectory() as directory,
        database(arguments.server) as connection,
        service(connection, arguments.workers, sections=cache.sections(web.url, directory, size)) as running,
    ):
        timings = cache.hits(running, web, size, arguments.rounds)
        for name, seconds in timings.seconds.items():
            print(f"{name:12} {median(seconds):6.2f} s  {median(timings.cpu[name]):6.2f} CPU s")
        rates = [file / hit for file, hit in zip(timings.seconds["file store"], timings.seconds["cache"], strict=True)]
        print(f"rate of a hit / of the file store   {median(rates):5.2f}")
        alone = [max(cache.cold_readers(running, web, f"alone{n}", 1)) for n in range(arguments.rounds)]
        before = web.gets
        together = [max(cache.cold_readers(running, web, f"all{n}", cache.READERS)) for n in range(arguments.rounds)]
        print(f"first byte: {median(alone):.3f} s alone, {median(together):.3f} s for the last of {cache.READERS}")
        print(f"reads of the web server for {cache.READERS} readers: {(web.gets - before) / arguments.rounds:.1f}")


def run_growth(arguments: argparse.Namespace) -> None:
    """Print the time of each list in catalogues of several sizes, and the ratio of the last to the first."""
    medians: dict[str, list[float]] = {}
    for count in (int(size) for size in arguments.sizes.split(",")):
        with database(arguments.server) as connection, service(connection, arguments.workers) as running:
            seed(connection, count, running.project)
            for figure in scenarios.lists(_meter(arguments, running)):
                medians.setdefault(figure.name, []).append(figure.median_ms)
    for name, times in medians.items():
        row = "  ".join(f"{each:8.2f} ms" for each in times)
        print(f"{name:28} {row}  ratio {times[-1] / times[0]:.2f}")


def run_claims(arguments: argparse.Namespace) -> None:
    """Print the cost of a claim, alone and among four, without limits and with both; medians of some rounds."""
    for name in (arguments.server, "sqlite"):
        for limits in (claims.NO_LIMITS, claims.LIMITS):
            for count in (1, 4):
                costs = claims.rounds(name, count, arguments.jobs, limits, arguments.rounds)
                print(f"{name.partition(':')[0]:12} {count} processes, {claims.name_of(limits):15} {costs}", flush=True)


def run_crowd(arguments: argparse.Namespace) -> None:
    """Print how long small requests take among slow connections."""
    with database(arguments.server) as connection, service(connection, arguments.workers) as running:
        seed(connection, 100, running.project)
        for name, milliseconds in crowd.small_requests_in_a_crowd(running).items():
            print(f"{name:24} {milliseconds:8.2f} ms")


def run_listeners(arguments: argparse.Namespace) -> None:
    """Print the memory of listeners, and how long small requests take beside them."""
    sections = listeners.options(arguments.count)
    with database(arguments.server) as connection, service(connection, arguments.workers, sections=sections) as running:
        figures = listeners.measure(running, arguments.count, arguments.requests)
        for name, (middle, late) in figures.times.items():
            print(f"{name:40} median {middle:7.2f} ms  99th percentile {late:7.2f} ms", flush=True)
        print(f"memory of {arguments.count} listeners: {figures.memory_mib:.1f} MiB (PSS)")


def run_metadefs(arguments: argparse.Namespace) -> None:
    """Print the cost of lists of namespaces."""
    with (
        database(arguments.server) as connection,
        service(connection, arguments.workers) as running,
        _peer(arguments, 0, metadefs.load_into_glance) as other,
    ):
        metadefs.load(running)
        measure = partial(metadefs.lists, count=arguments.count)
        for figure in _compare(arguments, running, other, measure):
            print(figure, flush=True)


def run_attack(arguments: argparse.Namespace) -> None:
    """Print how long small requests, an upload and an import of others take under attack."""
    web = free_port()
    with tempfile.TemporaryDirectory() as folder, database(arguments.server) as connection:
        tls = make_certificate(Path(folder)) if arguments.tls else None
        with service(connection, arguments.workers, sections=attack.options(web), tls=tls) as running:
            for name, value in attack.measure(running, web).items():
                print(f"{name:40} {value:9.2f}")


def run_parallel(arguments: argparse.Namespace) -> None:
    """Print the times of changes on 4 connections as multiples of a show, and of shows on 8 connections."""
    with database(arguments.server) as connection, service(connection, arguments.workers) as running:
        seed(connection, arguments.images, running.project)
        for connections in (4, 8):
            found = parallel.rates(running, connections, arguments.count)
            for name, times in found.items():
                print(
                    f"{name:12} {connections} connections  median {median(times):7.2f} ms"
                    f"  99th percentile {parallel.at_the_99th(times):7.2f} ms"
                    f"  {median(times) / median(found['show']):5.2f} × show",
                    flush=True,
                )


def run_migration(arguments: argparse.Namespace) -> None:
    """Print the figures of a migration between databases of the server, and between SQLite files."""
    with database(arguments.server) as glance, database(arguments.server) as own:
        _print_migration(arguments.server.partition(":")[0], glance, own, arguments.images)
    with tempfile.TemporaryDirectory() as folder:
        _print_migration("sqlite", f"sqlite:///{folder}/glance.db", f"sqlite:///{folder}/own.db", arguments.images)


def _print_migration(name: str, glance: str, own: str, count: int) -> None:
    migration.fill_glance(glance, count)
    for title, figures in migration.measure(glance, own):
        print(
            f"{name:12} {count} images, {title:26} {figures.seconds:7.1f} s  {figures.cpu:7.1f} s of CPU"
            f"  {figures.memory_mib:6.0f} MiB",
            flush=True,
        )


def run_start(arguments: argparse.Namespace) -> None:
    """Print how long the application takes to be imported and the service to answer on an existing database."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import glance_mini.api.paste"], check=True)
    print(f"import of the application  {time.perf_counter() - begin:6.2f} s")
    with database(arguments.server) as connection:
        with service(connection, arguments.workers):
            pass
        with service(connection, arguments.workers) as running:
            print(f"time to the first answer   {running.ready_seconds:6.2f} s")
            print(f"memory when it is idle     {processes.pss_mib(running.pid):6.0f} MiB (PSS)")


def _peer(
    arguments: argparse.Namespace, images: int, prepare: Callable[[Sequence[str | Path]], object] = lambda manage: None
) -> AbstractContextManager[Service | None]:
    """Return the context of Glance if ``--peer`` names its Python, else one that has None.

    ``prepare`` gets the command ``glance-manage``, before Glance starts.
    """
    if not arguments.peer:
        return nullcontext()
    return started(Path(arguments.peer), arguments.server, images, prepare=prepare)


def _compare(
    arguments: argparse.Namespace,
    running: Service,
    other: Service | None,
    measure: Callable[[scenarios.Meter], list[scenarios.Figure]],
) -> Iterable[object]:
    """Return the figures of ``measure`` for the service, or with ``other`` lines that compare both."""
    if other is None:
        return measure(_meter(arguments, running))
    # Each round has connections of its own: one that waits for the other side's turn may be closed.
    return scenarios.in_alternation(*(lambda side=side: measure(_meter(arguments, side)) for side in (running, other)))


def _meter(arguments: argparse.Namespace, running: Service) -> scenarios.Meter:
    return scenarios.Meter(running, next(processes.find(arguments.database_process), None))


if __name__ == "__main__":
    main()
