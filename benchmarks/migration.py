"""Takes images over from a Glance database, which it fills without Glance; measures the command as a process."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Table, insert

from benchmarks.seed import image_id
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.migration import glance_tables

BEGIN = datetime(2026, 1, 1)
BATCH = 2000
PROJECTS = 100

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file
[glance_store]
default_backend = images
[images]
filesystem_store_datadir = {folder}/images
[database]
connection = {connection}
"""


@dataclass(frozen=True)
class Figures:
    """``seconds`` of elapsed time, ``cpu`` seconds and the most resident memory in MiB of one command."""

    seconds: float
    cpu: float
    memory_mib: float


def fill_glance(url: str, count: int) -> None:
    """Make the tables and insert ``count`` images of 100 projects, with 10 properties, 3 tags and a location each.

    Every tenth image has two members.
    """
    engine = make_engine(url)
    glance_tables.metadata.create_all(engine)
    with engine.connect() as connection:
        left = iter(range(count))
        while numbers := tuple(islice(left, BATCH)):
            connection.exec_driver_sql("BEGIN")
            for table, rows in _rows(numbers):
                connection.execute(insert(table), rows)
            connection.exec_driver_sql("COMMIT")
        _analyze(connection)
    engine.dispose()


def measure(glance: str, own: str) -> Iterator[tuple[str, Figures]]:
    """Yield the figures of the first run, and of a second one that finds nothing to do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, connection in (("glance-api.conf", glance), ("glance-mini.conf", own)):
            text = _CONFIGURATION.format(folder=folder, connection=connection)
            (folder / file).write_text(text)
        _run(folder, "db", "sync")
        move = ("migrate-from-glance", "--config", str(folder / "glance-api.conf"))
        yield "first run", _run(folder, *move)
        yield "second run, nothing to do", _run(folder, *move)


def _run(folder: Path, *words: str) -> Figures:
    command = [
        sys.executable,
        "-m",
        "glance_mini.cmd.manage",
        *words,
        "--config-file",
        str(folder / "glance-mini.conf"),
    ]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The largest child until now: the commands run one after the other, and each is larger than the one before.
    return Figures(seconds, cpu, after.ru_maxrss / 1024)


def _rows(numbers: tuple[int, ...]) -> Iterator[tuple[Table, list[dict[str, object]]]]:
    keys = {number: {"image_id": image_id(number), **_times(number)} for number in numbers}
    yield glance_tables.images, [_image(number) for number in numbers]
    yield (
        glance_tables.image_properties,
        [
            {**key, "name": f"p{each}", "value": f"value {each} of image {number}"}
            for number, key in keys.items()
            for each in range(10)
        ],
    )
    yield (
        glance_tables.image_tags,
        [
            {**key, "value": tag}
            for number, key in keys.items()
            for tag in ("all", f"t{number % 10}", f"u{number % 40}")
        ],
    )
    yield (
        glance_tables.image_locations,
        [
            {
                **key,
                "value": f"file:///images/{key['image_id']}",
                "meta_data": '{"store": "images"}',
                "status": "active",
            }
            for key in keys.values()
        ],
    )
    yield (
        glance_tables.image_members,
        [
            {**key, "member": f"member-{each}", "can_share": False, "status": "pending"}
            for number, key in keys.items()
            if number % 10 == 0
            for each in range(2)
        ],
    )


def _image(number: int) -> dict[str, object]:
    return {
        "id": image_id(number),
        "name": f"image {number}",
        "status": "active",
        "visibility": ("shared", "private", "public", "community")[number % 4],
        "owner": f"project-{number % PROJECTS}",
        "size": number,
        "container_format": "bare",
        "disk_format": "qcow2",
        "checksum": f"{number:032x}",
        "os_hash_algo": "sha512",
        "os_hash_value": f"{number:0128x}",
        "min_disk": 0,
        "min_ram": 0,
        "protected": False,
        "os_hidden": False,
        **_times(number),
    }


def _times(number: int) -> dict[str, object]:
    moment = BEGIN + timedelta(seconds=number)
    return {"created_at": moment, "updated_at": moment, "deleted": False}


def _analyze(connection: Connection) -> None:
    if connection.dialect.name == "mysql":
        connection.exec_driver_sql("ANALYZE TABLE images, image_properties, image_tags, image_locations")
    else:
        connection.exec_driver_sql("ANALYZE")
