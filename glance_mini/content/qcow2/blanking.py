"""Removes the name of a backing file from a qcow2 on its way into a store (format-incremental-blanking)."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glance_mini.content.qcow2.errors import Damaged
from glance_mini.content.qcow2.header import BACKING_FORMAT, HEADER_BYTES, Header, is_qcow2, parse_header
from glance_mini_store.lanes import Chunk

_NAME = slice(8, 20)
"""Where a header says where the name lies and how long it is."""

_EXTENSION = struct.Struct(">II")
_LONGEST_FORMAT = 1023


@dataclass(frozen=True, slots=True)
class FoundBacking:
    """What the beginning of an upload said; ``header`` is None unless it is a qcow2 that names a backing file.

    ``name`` and ``backing_format`` are what was blanked. They are for messages only and never followed.
    """

    header: Header | None
    name: str = ""
    backing_format: str = ""


class BlankedBacking(Iterator[Chunk]):
    """The ``chunks`` of an upload without the name of a backing file; all other bytes pass unchanged, none is added.

    ``found`` is None until the beginning of the data is known (the first chunk that comes out, or the end), then
    FoundBacking. Any data passes; only a qcow2 that names a backing file is judged and changed, and raises Unsupported
    or Damaged before anything of it comes out. A chunk must stay valid only until the next is asked for, in and out.
    Memory: the first cluster, at most 2 MiB, and one chunk.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.found: FoundBacking | None = None
        self._chunks = iter(chunks)
        self._head = bytearray()

    def __next__(self) -> Chunk:
        if self.found is not None:
            return next(self._chunks)
        for chunk in self._chunks:
            self._head += chunk
            if len(self._head) >= self._wanted():
                break
        head, self._head = self._head, bytearray()
        self.found = _blank(head)
        if not head:
            raise StopIteration
        return head

    def _wanted(self) -> int:
        """Return how many bytes must be known to decide."""
        head = self._head
        if len(head) < HEADER_BYTES:
            return HEADER_BYTES if is_qcow2(head) or len(head) < 4 else 0
        return 1 << min(head[23], 21) if _names_backing(head) else 0


def _names_backing(head: bytearray) -> bool:
    return is_qcow2(head) and any(head[8:16]) and any(head[16:20])


def _blank(head: bytearray) -> FoundBacking:
    """Remove the name from ``head``, which holds the first cluster or all that there is."""
    if not _names_backing(head):
        return FoundBacking(None)
    header = parse_header(head)
    end = header.name_offset + header.name_length
    if len(head) < end:
        raise Damaged(reason="it ends within the name of its backing file")
    name = head[header.name_offset : end].decode(errors="replace")
    head[header.name_offset : end] = bytes(header.name_length)
    head[_NAME] = bytes(12)
    return FoundBacking(header, name, _blank_format(head, header.length, header.name_offset))


def _blank_format(head: bytearray, start: int, end: int) -> str:
    """Remove the extensions that name the format of the backing file between ``start`` and ``end``; return the last.

    The extensions behind one move forward, and zeros take the room at the end.
    """
    found = ""
    position = start
    while position + _EXTENSION.size <= end:
        kind, length = _EXTENSION.unpack_from(head, position)
        following = position + _EXTENSION.size + (length + 7) // 8 * 8
        if kind == 0:
            break
        if following > end:
            raise Damaged(reason="an extension of its header overlaps the name of its backing file")
        if kind == BACKING_FORMAT:
            found = bytes(head[position + _EXTENSION.size :][: min(length, _LONGEST_FORMAT)]).decode(errors="replace")
            head[position:end] = head[following:end] + bytes(following - position)
        else:
            position = following
    return found
