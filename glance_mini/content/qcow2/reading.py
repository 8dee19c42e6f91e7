"""Reads pieces: those that lie near each other in one file by one read."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.level_runs import Qcow2Runs
from glance_mini.content.qcow2.pieces import Literal, Packed, Piece, Stored, Zeros
from glance_mini.content.qcow2.source import LONGEST_READ
from glance_mini.content.qcow2.unpacking import Unpacked, unpack
from glance_mini_store.lanes import Chunk

LARGEST_PIECE = 1024 * 1024
"""The most bytes that come out at once."""

_BATCH = 2 * 1024 * 1024
"""Bytes that are looked ahead for pieces that can be read together, in the output and in the files."""

_GAP = 32 * 1024
"""Bytes between two pieces that are read and thrown away to save a read."""

_SMALL = 16 * 1024
"""Smaller pieces are put together before they come out."""

_ZEROS = memoryview(bytes(LARGEST_PIECE))


class _Ranges:
    """Ranges of one file, read together where they are near each other."""

    def __init__(self, chain: Chain, level: int, ranges: list[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._buffers: list[memoryview] = []
        read = chain.levels[level].source.read
        for start, end in _near(sorted(ranges)):
            self._starts.append(start)
            self._buffers.append(memoryview(read(start, end - start)))

    def get(self, offset: int, length: int) -> memoryview:
        """Return bytes that were asked for."""
        index = bisect_right(self._starts, offset) - 1
        begin = offset - self._starts[index]
        return self._buffers[index][begin : begin + length]


def _near(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the reads for ``ranges`` (offset, length), which are in order and may overlap."""
    start, end = ranges[0][0], sum(ranges[0])
    for offset, length in ranges[1:]:
        if offset > end + _GAP or max(end, offset + length) - start > LONGEST_READ:
            yield start, end
            start, end = offset, offset + length
        else:
            end = max(end, offset + length)
    yield start, end


def read_pieces(chain: Chain, pieces: Iterable[Piece]) -> Iterator[Chunk]:
    """Yield the bytes of ``pieces``, at most LARGEST_PIECE at once.

    Memory: a few MiB. Raises Damaged and what the stores raise, when it gets there.
    """
    kept = Unpacked()
    batch: list[Piece] = []
    packed: set[tuple[int, int]] = set()
    room = _BATCH
    for piece in _cut(pieces):
        cost = piece.length
        if isinstance(piece, Packed) and (piece.level, piece.offset) not in packed:
            cost = max(piece.packed, _qcow2(chain, piece.level).header.cluster_size)
        if batch and cost > room:
            yield from _gathered(_batch(chain, batch, kept))
            batch, room = [], _BATCH
            packed.clear()
        batch.append(piece)
        room -= cost
        if isinstance(piece, Packed):
            packed.add((piece.level, piece.offset))
    yield from _gathered(_batch(chain, batch, kept))


def _cut(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield ``pieces`` with the long ones in parts."""
    for piece in pieces:
        if piece.length <= LARGEST_PIECE:
            yield piece
            continue
        for begin in range(0, piece.length, LARGEST_PIECE):
            length = min(LARGEST_PIECE, piece.length - begin)
            if isinstance(piece, Stored):
                yield Stored(length, piece.level, piece.offset + begin)
            elif isinstance(piece, Packed):
                yield piece._replace(length=length, skip=piece.skip + begin)
            elif isinstance(piece, Zeros):
                yield Zeros(length)
            else:
                yield Literal(piece.data[begin : begin + length])


def _batch(chain: Chain, batch: list[Piece], kept: Unpacked) -> Iterator[Chunk]:
    known: dict[tuple[int, int], bytes] = {}
    wanted: list[tuple[int, int, int]] = []
    for piece in batch:
        if isinstance(piece, Packed):
            data = kept.get(piece.level, piece.offset)
            if data is None:
                wanted.append((piece.level, piece.offset, piece.packed))
            else:
                known[piece.level, piece.offset] = data
        elif isinstance(piece, Stored):
            wanted.append((piece.level, piece.offset, piece.length))
    wanted.sort()
    files = {
        level: _Ranges(chain, level, [(offset, length) for _, offset, length in ranges])
        for level, ranges in groupby(wanted, itemgetter(0))
    }
    for piece in batch:
        if isinstance(piece, Stored):
            yield files[piece.level].get(piece.offset, piece.length)
        elif isinstance(piece, Packed):
            key = piece.level, piece.offset
            if key not in known:
                known[key] = _unpacked(chain, piece, files[piece.level].get(piece.offset, piece.packed))
                kept.put(*key, known[key])
            yield memoryview(known[key])[piece.skip : piece.skip + piece.length]
        elif isinstance(piece, Zeros):
            yield _ZEROS[: piece.length]
        else:
            yield piece.data


def _unpacked(chain: Chain, piece: Packed, packed: memoryview) -> bytes:
    header = _qcow2(chain, piece.level).header
    return unpack(packed, header.cluster_size, header.is_zstd)


def _qcow2(chain: Chain, number: int) -> Qcow2Runs:
    level = chain.level(number)
    assert isinstance(level, Qcow2Runs)
    return level


def _gathered(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield ``chunks`` with small ones put together."""
    small: list[Chunk] = []
    for chunk in chunks:
        if len(chunk) >= _SMALL:
            if small:
                yield b"".join(small)
                small = []
            yield chunk
        else:
            small.append(chunk)
    if small:
        yield b"".join(small)
