"""A raw image of which a tenth is data, on a file store and in Ceph: what it takes, how long a write and a read take.

Ceph is the cluster of the variables ``TEST_RBD_...``, as ``tests/integration/services/ceph env`` prints them; without
them only the file store is measured.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import NamedTuple

from glance_mini_store.driver import Driver
from glance_mini_store.drivers.file import FileDriver
from glance_mini_store.drivers.rbd import RbdDriver
from glance_mini_store.store import Store

MIB = 1024 * 1024
BLOCK = 4 * MIB
BLOCKS = 4
RUN = 16 * MIB
"""Bytes of data in a row."""

SHIFT = MIB
"""Where a run begins behind a multiple of the objects' size."""


class Figure(NamedTuple):
    """One store: bytes that the sparse image takes; seconds to write and to read it, and those for its data alone."""

    store: str
    used: int
    write: float
    read: float
    write_data: float
    read_data: float


def run(gib: int, folder: str) -> Iterator[str]:
    """Yield a line for each store; the image has ``gib`` GiB."""
    size = gib * 1024 * MIB
    yield f"{size // MIB} MiB, of which {size // 10 // MIB} MiB are data"
    path = os.path.join(folder, f"benchmark-{uuid.uuid4().hex}")
    os.mkdir(path)
    file = FileDriver.from_config(
        _settings(FileDriver, filesystem_store_datadir=path, filesystem_thin_provisioning=True), "file"
    )
    yield _line(_measure("file", file, size, lambda location: _blocks_of_file(file, location)), size)
    os.rmdir(path)
    if "TEST_RBD_CONF" in os.environ:
        rbd = RbdDriver.from_config(
            _settings(
                RbdDriver,
                rbd_store_ceph_conf=os.environ["TEST_RBD_CONF"],
                rbd_store_user=os.environ["TEST_RBD_USER"],
                rbd_store_pool=os.environ["TEST_RBD_POOL"],
                rbd_thin_provisioning=True,
            ),
            "rbd",
        )
        yield _line(_measure("rbd", rbd, size, _extents_of_image), size)


def _measure(name: str, driver: Driver, size: int, used: Callable[[str], int]) -> Figure:
    store = Store(driver, name)
    try:
        write, read, taken = _times(store, _sparse(size), size, used)
        write_data, read_data, _ = _times(store, _data(size // 10), size // 10, used)
    finally:
        store.close()
    return Figure(name, taken, write, read, write_data, read_data)


def _times(
    store: Store, chunks: Iterator[memoryview], size: int, used: Callable[[str], int]
) -> tuple[float, float, int]:
    """Return the seconds to write without hashes and to read, and the bytes that were used; the data is removed."""
    started = time.perf_counter()
    stored = store.write(f"benchmark-{uuid.uuid4().hex}", chunks, size=size, blocks=BLOCKS, algorithms=())
    written = time.perf_counter() - started
    try:
        taken = used(stored.location)
        started = time.perf_counter()
        count = sum(len(block) for block in store.read(stored.location))
        seconds = time.perf_counter() - started
        assert count == size, (count, size)
    finally:
        store.delete(stored.location)
    return written, seconds, taken


def _sparse(size: int) -> Iterator[memoryview]:
    """Yield ``size`` bytes in which each tenth RUN is data, in blocks that are used again."""
    images, data = [memoryview(bytearray(BLOCK)) for _ in range(BLOCKS)], os.urandom(BLOCK)
    for position in range(0, size, BLOCK):
        image = images[position // BLOCK % BLOCKS]
        for start in range(position, position + BLOCK, SHIFT):
            is_data = (start - SHIFT) % (10 * RUN) < RUN
            at = start - position
            image[at : at + SHIFT] = data[at : at + SHIFT] if is_data else bytes(SHIFT)
        yield image


def _data(size: int) -> Iterator[memoryview]:
    block = memoryview(os.urandom(BLOCK))
    for position in range(0, size, BLOCK):
        yield block[: min(BLOCK, size - position)]


def _blocks_of_file(driver: FileDriver, location: str) -> int:
    path = driver.local_path(location)
    assert path is not None
    return os.stat(path).st_blocks * 512


def _extents_of_image(location: str) -> int:
    """Return the bytes that were written to an image of Ceph, exactly: ``rbd du`` counts whole objects."""
    import rados
    import rbd

    *_, pool, name, snapshot = location.split("/")
    found: list[int] = []
    with (
        rados.Rados(conffile=os.environ["TEST_RBD_CONF"], rados_id=os.environ["TEST_RBD_USER"]) as cluster,
        cluster.open_ioctx(pool) as opened,
        rbd.Image(opened, name, snapshot, read_only=True) as image,
    ):
        image.diff_iterate(0, image.size(), None, lambda _, length, is_there: found.append(length if is_there else 0))
    return sum(found)


def _settings(driver: type[Driver], **values: object) -> SimpleNamespace:
    return SimpleNamespace(**{option.dest: option.default for option in driver.options} | values)


def _line(figure: Figure, size: int) -> str:
    return (
        f"{figure.store:5} takes {figure.used / MIB:.1f} MiB  write {figure.write:6.2f} s (data alone "
        f"{figure.write_data:6.2f} s)  read {figure.read:6.2f} s (data alone {figure.read_data:6.2f} s)"
    )
