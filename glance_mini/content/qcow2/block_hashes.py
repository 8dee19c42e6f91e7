"""SHA-256 of the blocks of a guest's disk, and which blocks a level has changed (format-incremental-blocks)."""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.pieces import Piece, filled
from glance_mini.content.qcow2.reading import read_pieces
from glance_mini.content.qcow2.runs import Run

BLOCK = 1024 * 1024
"""Bytes of a block; the last one of a disk may be shorter."""

SMALL_BLOCK = 64 * 1024
"""Bytes of the parts of a block."""


def hash_blocks(
    chain: Chain, first: int = 0, end: int | None = None, size: int = BLOCK, threads: int = 0
) -> Iterator[tuple[int, bytes]]:
    """Yield (number, SHA-256) of the blocks ``first`` to ``end`` (exclusive; None: all) that are allocated, in order.

    A block has ``size`` bytes. What is not yielded reads as zeros. To go on after an interruption, begin with the
    number after the last. Use ``size=SMALL_BLOCK`` and the sixteen numbers of a block for its parts. Blocks are read
    one after the other; so many ``threads`` hash them meanwhile, and hold up to three blocks each. Raises Damaged and
    what the stores raise.
    """
    blocks = _read_blocks(chain, first, end, size)
    if not threads:
        yield from ((number, _digest(parts)) for number, parts in blocks)
        return
    with ThreadPoolExecutor(threads, "block-hash") as pool:
        waiting = deque[tuple[int, Future[bytes]]]()
        for number, parts in blocks:
            waiting.append((number, pool.submit(_digest, parts)))
            if len(waiting) > 2 * threads:
                yield _result(waiting.popleft())
        yield from map(_result, waiting)


def _result(waiting: tuple[int, Future[bytes]]) -> tuple[int, bytes]:
    number, digest = waiting
    return number, digest.result()


def _digest(parts: Sequence[memoryview]) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.digest()


def _read_blocks(chain: Chain, first: int, end: int | None, size: int) -> Iterator[tuple[int, list[memoryview]]]:
    """Yield the number and the bytes of each allocated block.

    No block is so long that a source would stream it, so the bytes stay as they are.
    """
    disk = chain.size
    stop = disk if end is None else min(disk, end * size)
    numbers: list[tuple[int, int]] = []
    pieces = _block_pieces(chain, first * size, stop, size, numbers)
    parts, done, at = list[memoryview](), 0, 0
    for chunk in read_pieces(chain, pieces):
        view = memoryview(chunk)
        while view:
            number, length = numbers[at]
            parts.append(view[: length - done])
            done += len(parts[-1])
            view = view[len(parts[-1]) :]
            if done == length:
                yield number, parts
                parts, done, at = [], 0, at + 1
        del numbers[:at]
        at = 0


def _block_pieces(chain: Chain, start: int, end: int, size: int, numbers: list[tuple[int, int]]) -> Iterator[Piece]:
    """Yield the pieces of all allocated blocks, and append (number, bytes) of each block to ``numbers`` before."""
    block, runs = -1, list[Run]()
    for run in chain.runs(start, end, holes=True):
        position = run.start
        while position < run.end:
            number = position // size
            if number != block:
                yield from _pieces_of(block, runs, size, end, numbers)
                block, runs = number, []
            stop = min(run.end, (number + 1) * size)
            runs.append(run.part(position, stop))
            position = stop
    yield from _pieces_of(block, runs, size, end, numbers)


def _pieces_of(block: int, runs: list[Run], size: int, end: int, numbers: list[tuple[int, int]]) -> Iterator[Piece]:
    if runs:
        stop = min((block + 1) * size, end)
        numbers.append((block, stop - block * size))
        yield from filled(runs, block * size, stop)


def allocated_blocks(
    chain: Chain, start: int = 0, end: int | None = None, depth: int | None = None, size: int = BLOCK
) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of the ranges of the guest's disk that are allocated, in whole blocks, joined.

    Of the bytes ``start`` to ``end`` (None: all). With ``depth`` only what the uppermost ``depth`` levels hold: the
    difference to the disk of the level at that place, zeros that hide data among it. Lazy: a page takes what it needs.
    """
    stop = chain.size if end is None else min(end, chain.size)
    low = high = start
    for run in chain.runs(start, stop, depth, holes=True):
        begin, finish = run.start // size * size, min(-(-run.end // size) * size, chain.size)
        if begin > high:
            if high > low:
                yield low, high - low
            low = begin
        elif high == low:
            low = begin
        high = max(high, finish)
    if high > low:
        yield low, high - low
