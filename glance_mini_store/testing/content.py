"""What drivers are given to write: names, data, sources that break off, and processes that are killed."""

import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator

KIB = 1024
MIB = 1024 * 1024


class SourceError(Exception):
    """The error that sources of these tests raise in the middle."""


def new_name() -> str:
    """Return a new name."""
    return str(uuid.uuid4())


def pattern(size: int) -> bytes:
    """Return ``size`` bytes in which neighbouring blocks of any usual size differ."""
    unit = b"".join(number.to_bytes(3, "big") for number in range(1, 4096))
    return (unit * (size // len(unit) + 1))[:size]


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` in blocks as a server would."""
    for start in range(0, len(data), MIB):
        yield data[start : start + MIB]


def in_one_block(data: bytes) -> Iterator[memoryview]:
    """Yield ``data`` in chunks of the same memory, which has other bytes as soon as the next chunk is asked for."""
    block = bytearray(MIB)
    for piece in pieces(data):
        block[: len(piece)] = piece
        yield memoryview(block)[: len(piece)]
        block[:] = b"?" * MIB


def broken(data: bytes, failure: BaseException) -> Iterator[bytes]:
    """Yield ``data`` and then raise ``failure``."""
    yield from pieces(data)
    raise failure


def in_threads(calls: Iterable[Callable[[], object]]) -> None:
    """Run all calls at once and wait for them."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def in_killed_process(write: Callable[[Iterator[bytes]], object]) -> None:
    """Call ``write`` in a child process that is killed while it reads the third block."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            write(_deadly_source())
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -9, "the write did not read its source"


def _deadly_source() -> Iterator[bytes]:
    yield pattern(MIB)
    yield pattern(MIB)
    os.kill(os.getpid(), 9)
