"""What a file that is made while it is read consists of."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from glance_mini.content.qcow2.runs import Kind, Run


class Literal(NamedTuple):
    """Bytes that were computed."""

    data: bytes

    @property
    def length(self) -> int:
        """Their number."""
        return len(self.data)


class Zeros(NamedTuple):
    """``length`` zero bytes."""

    length: int


class Stored(NamedTuple):
    """``length`` bytes (any number) from ``offset`` of the file of ``level``, as they are."""

    length: int
    level: int
    offset: int


class Packed(NamedTuple):
    """``length`` bytes, ``skip`` bytes into the cluster that ``packed`` bytes at ``offset`` of ``level`` unpack to."""

    length: int
    level: int
    offset: int
    packed: int
    skip: int


Piece = Literal | Zeros | Stored | Packed


def filled(runs: Iterable[Run], start: int, end: int) -> Iterator[Piece]:
    """Yield the pieces of the guest's bytes ``start`` to ``end``: ``runs``, which are in order, and zeros elsewhere.

    Runs, or parts of them, beside the range are passed over.
    """
    for run in runs:
        low, high = max(run.start, start), min(run.end, end)
        if low >= high:
            continue
        if low > start:
            yield Zeros(low - start)
        yield _piece(run.part(low, high))
        start = high
    if start < end:
        yield Zeros(end - start)


def _piece(run: Run) -> Piece:
    if run.kind is Kind.DATA:
        return Stored(run.length, run.level, run.offset)
    if run.kind is Kind.COMPRESSED:
        return Packed(run.length, run.level, run.offset, run.packed, run.skip)
    return Zeros(run.length)


def joined_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield ``pieces`` with those made one that follow each other in a file, or are zeros."""
    last: Piece | None = None
    for piece in pieces:
        if isinstance(piece, Zeros) and isinstance(last, Zeros):
            last = Zeros(last.length + piece.length)
        elif (
            isinstance(piece, Stored)
            and isinstance(last, Stored)
            and piece.level == last.level
            and piece.offset == last.offset + last.length
        ):
            last = last._replace(length=last.length + piece.length)
        else:
            if last is not None:
                yield last
            last = piece
    if last is not None:
        yield last
