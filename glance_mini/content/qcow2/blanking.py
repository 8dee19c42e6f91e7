"""Removes the name of a backing file from a qcow2 on its way into a store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glance_mini.content.qcow2.header import Header
from glance_mini_store.lanes import Chunk


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

    ``found`` is None until the beginning of the data is known (the first chunk that comes out), then FoundBacking.
    Any data passes; only a qcow2 that names a backing file is judged and changed, and raises Unsupported or Damaged
    before anything of it comes out. A chunk must stay valid only until the next is asked for, in and out.
    Memory: one cluster, at most 2 MiB.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.found: FoundBacking | None = None
        raise NotImplementedError

    def __next__(self) -> Chunk:
        raise NotImplementedError
