"""Imports by the whole service to a file store, an S3 store and an rbd store at once, against the slowest alone."""

import configparser
import io
from collections.abc import Iterator
from statistics import median

from benchmarks import imports
from benchmarks.backends import Backend, backend_named
from benchmarks.imports import Times
from benchmarks.service import database, service

BACKENDS = {"files": "file", "objects": "s3", "blocks": "rbd"}
"""Id of the store to name of its backend, which is also the name of its driver."""


def run(server: str, workers: int, mib: int, rounds: int, folder: str | None) -> Iterator[str]:
    """Yield lines with the medians of ``rounds`` after an uncounted one; the source lies in ``folder``."""
    backends = {store: backend_named(name) for store, name in BACKENDS.items()}
    places: list[tuple[Backend, str]] = []
    try:
        sections = ""
        for store, backend in backends.items():
            places.append((backend, backend.prepare()))
            sections += _section(store, backend.options(places[-1][1]))
        stores = [f"{store}:{name}" for store, name in BACKENDS.items()]
        with (
            imports.web_server(mib * imports.MIB, folder) as (_, url),
            database(server) as connection,
            service(connection, workers, stores, sections + imports.options(url)) as running,
        ):
            times = Times()
            for number in range(rounds + 1):
                times = Times() if number == 1 else times
                for wanted in (*((store,) for store in BACKENDS), tuple(BACKENDS)):
                    imports.import_once(times, running, url, wanted)
            yield from _lines(times)
    finally:
        for backend, place in places:
            backend.remove(place)


def _section(store: str, options: dict[str, object]) -> str:
    parser = configparser.RawConfigParser()
    parser[store] = {name: str(value) for name, value in options.items()}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _lines(times: Times) -> Iterator[str]:
    for name, seconds in times.seconds.items():
        yield f"{name:40} {median(seconds):6.2f} s"
    together = ", ".join(BACKENDS)
    slowest = [max(each) for each in zip(*(times.seconds[store] for store in BACKENDS), strict=True)]
    ratio = median(one / other for one, other in zip(times.seconds[together], slowest, strict=True))
    yield f"three at once: {ratio:.2f} of the slowest alone (target 1.5)"
