"""Fills a database with images, without the service; the content of a catalogue of any size is known in advance.

Image ``n`` is named ``seed-<n>`` and is active, with 10 properties, 3 tags and a location. ``p1`` takes 40 values
and so does the tag ``u<n>``: a page of 25 is full from 1,000 images on. Every ninth image belongs to another project;
half of these are public, half private.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, insert

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.models import digest, image_locations, image_properties, image_tags, images

OTHER = "seed-other"
BEGIN = datetime(2026, 1, 1)
BATCH = 2000
VALUES = 40


def seed(connection_url: str, count: int, project: str) -> None:
    """Insert ``count`` images of ``project``, make missing tables, and update the statistics of the database.

    The ids are the same each time, so it works only once for a database.
    """
    engine = make_engine(connection_url)
    schema.sync(engine)
    numbers = iter(range(count))
    with engine.connect() as connection:
        while batch := list(islice(numbers, BATCH)):
            connection.exec_driver_sql("BEGIN")
            for table, each in rows(batch, project):
                _write(connection, table, each)
            connection.exec_driver_sql("COMMIT")
        _analyze(connection)
    engine.dispose()


def image_id(number: int) -> str:
    """Return the id of image ``number``; ids are in no order."""
    return str(UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % 2**128, version=4))


def rows(batch: Iterable[int], project: str) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """Yield the rows of each table for the images of the numbers ``batch``."""
    keys = {number: {"image_id": image_id(number), "image_created_at": _time(number)} for number in batch}
    yield images, [_image(number, project) for number in keys]
    yield (
        image_properties,
        [
            key | {"name": name, "value": value, "value_digest": digest(name, value)}
            for number, key in keys.items()
            for name, value in _properties(number)
        ],
    )
    yield image_tags, [key | {"value": tag} for number, key in keys.items() for tag in _tags(number)]
    yield image_locations, [_location(number) for number in keys]


def _image(number: int, project: str) -> dict[str, Any]:
    foreign = number % 9 == 8
    return {
        "id": image_id(number),
        "name": f"seed-{number:06d}",
        "status": "active",
        "visibility": ("public" if number // 9 % 2 else "private") if foreign else "shared",
        "owner": OTHER if foreign else project,
        "size": number,
        "container_format": "bare",
        "disk_format": "qcow2",
        "checksum": f"{number:032x}",
        "os_hash_algo": "sha512",
        "os_hash_value": f"{number:0128x}",
        "created_at": _time(number),
        "updated_at": _time(number),
    }


def _properties(number: int) -> Iterator[tuple[str, str]]:
    yield "p0", f"image {number}"
    yield "p1", f"v{number % VALUES}"
    for key in range(2, 10):
        yield f"p{key}", f"value {key} of a middling length"


def _tags(number: int) -> tuple[str, ...]:
    return "all", f"t{number % 10}", f"u{number % VALUES}"


def _location(number: int) -> dict[str, Any]:
    return {
        "image_id": image_id(number),
        "position": 0,
        "value": f"file:///var/lib/glance-mini/images/{image_id(number)}",
        "meta_data": '{"store":"file"}',
        "status": "active",
    }


def _time(number: int) -> datetime:
    return BEGIN + timedelta(seconds=number, microseconds=number % 7)


def _write(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    columns = list(rows[0])
    lines = "".join("\t".join(map(str, row.values())) + "\n" for row in rows)
    copy = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN"
    with connection.connection.cursor() as cursor, cursor.copy(copy) as stream:
        stream.write(lines)


def _analyze(connection: Connection) -> None:
    if connection.dialect.name == "mysql":
        connection.exec_driver_sql("ANALYZE TABLE images, image_properties, image_tags, image_locations")
    else:
        connection.exec_driver_sql("ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE")
