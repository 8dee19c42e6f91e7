"""Reads pieces: those that lie near each other in one file by one read."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO

from glance_mini.content.qcow2.errors import Damaged
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.level_runs import Qcow2Runs
from glance_mini.content.qcow2.pieces import Literal, Packed, Piece, Stored, Zeros
from glance_mini.content.qcow2.source import LONGEST_READ, USUAL_READ
from glance_mini.content.qcow2.unpacking import Unpacked, unpack
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import FilePart

LARGEST_PIECE = 1024 * 1024
"""The most bytes that come out at once."""

_LONG = 8 * 1024 * 1024
"""A piece of this length is read as one stream, if the source has streams."""

_GAP = 64 * 1024
"""Bytes between two pieces that are read and thrown away to save a read."""

_SMALL = 16 * 1024
"""Smaller pieces are put together before they come out."""

_LONGEST_PART = 16 * 1024 * 1024
"""The most bytes of a file that are sent at once."""

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
    """Yield the bytes of ``pieces``, at most LARGEST_PIECE at once; those of a stream as it yields them.

    Memory: a few MiB. Raises Damaged and what the stores raise, when it gets there.
    """
    batch = _Batch(chain)
    for piece in pieces:
        if isinstance(piece, Stored) and piece.length >= _LONG:
            stream = getattr(chain.levels[piece.level].source, "stream", None)
            if stream is not None:
                yield from batch.take()
                yield from _exactly(stream(piece.offset, piece.length), piece.length)
                continue
        for part in _cut(piece, batch.longest):
            if not batch.has_room(part):
                yield from batch.take()
            batch.add(part)
    yield from batch.take()


def sendable_parts(chain: Chain, pieces: Iterable[Piece], files: Sequence[BinaryIO]) -> Iterator[Chunk | FilePart]:
    """As ``read_pieces``, but what lies together in one of ``files``, those of the levels, is not read."""
    batch = _Batch(chain)
    for piece in pieces:
        if isinstance(piece, Stored) and piece.length >= _SMALL:
            yield from batch.take()
            for begin in range(0, piece.length, _LONGEST_PART):
                length = min(_LONGEST_PART, piece.length - begin)
                yield FilePart(files[piece.level], piece.offset + begin, length)
            continue
        for part in _cut(piece, batch.longest):
            if not batch.has_room(part):
                yield from batch.take()
            batch.add(part)
    yield from batch.take()


def _exactly(chunks: Iterator[Chunk], length: int) -> Iterator[Chunk]:
    for chunk in chunks:
        length -= len(chunk)
        yield chunk
    if length:
        raise Damaged(reason=f"a file ended {length} bytes too early")


class _Batch:
    """Pieces that are read together."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._kept = Unpacked()
        self._pieces: list[Piece] = []
        self._packed: set[tuple[int, int]] = set()
        # Bytes that are looked ahead for pieces that can be read together, in the output and in the files.
        self._size = min(getattr(level.source, "usual_read", USUAL_READ) for level in chain.levels)
        self._room = self._size

    @property
    def longest(self) -> int:
        """The most bytes of a piece."""
        return min(LARGEST_PIECE, self._size)

    def has_room(self, piece: Piece) -> bool:
        """Return whether ``piece`` may be added; the first one always may."""
        return not self._pieces or self._cost(piece) <= self._room

    def add(self, piece: Piece) -> None:
        """Put ``piece`` behind the others."""
        self._room -= self._cost(piece)
        self._pieces.append(piece)
        if isinstance(piece, Packed):
            self._packed.add((piece.level, piece.offset))

    def take(self) -> Iterator[Chunk]:
        """Yield the bytes of all pieces; then there are none."""
        pieces, self._pieces, self._room = self._pieces, [], self._size
        self._packed.clear()
        return _gathered(_read(self._chain, pieces, self._kept))

    def _cost(self, piece: Piece) -> int:
        """Return the memory that ``piece`` needs: a cluster that is unpacked needs it once, whatever is taken of it."""
        if isinstance(piece, Packed) and (piece.level, piece.offset) not in self._packed:
            return max(piece.packed, _qcow2(self._chain, piece.level).header.cluster_size)
        return piece.length


def _cut(piece: Piece, longest: int) -> Iterator[Piece]:
    """Yield ``piece``, in parts of at most ``longest`` bytes."""
    if piece.length <= longest:
        yield piece
        return
    for begin in range(0, piece.length, longest):
        length = min(longest, piece.length - begin)
        if isinstance(piece, Stored):
            yield Stored(length, piece.level, piece.offset + begin)
        elif isinstance(piece, Packed):
            yield piece._replace(length=length, skip=piece.skip + begin)
        elif isinstance(piece, Zeros):
            yield Zeros(length)
        else:
            yield Literal(piece.data[begin : begin + length])


def _read(chain: Chain, batch: list[Piece], kept: Unpacked) -> Iterator[Chunk]:
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
