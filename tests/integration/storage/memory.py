"""How much memory a transfer takes: what the largest resident size of a child process grows by."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

from glance_mini_store.driver import Driver

MIB = 1024 * 1024
SIZE = 256 * MIB


def growth_of_transfers(driver: Driver, names: tuple[str, str], total: int = SIZE) -> int:
    """Return by how many bytes a process grows that writes ``total`` bytes twice, and reads them.

    The size is announced for the first of the ``names`` and not for the second.
    """
    block = os.urandom(MIB)

    def transfer() -> None:
        for name, size in zip(names, (total, None), strict=True):
            written = driver.write(name, (block for _ in range(total // MIB)), size)
            assert sum(map(len, driver.read(written.location))) == total

    return growth(transfer)


def growth(work: Callable[[], None]) -> int:
    """Return by how many bytes a child process grows at most while it does ``work``; fails if that fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            # The largest size counts from now on.
            Path("/proc/self/clear_refs").write_text("5")
            before = _largest()
            work()
            os.write(writing, str(_largest() - before).encode())
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    if not said.isdigit():
        raise AssertionError(said)
    return int(said)


def _largest() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
