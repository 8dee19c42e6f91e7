"""What a file that is made while it is read consists of, and the reading of it."""

from typing import NamedTuple


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
