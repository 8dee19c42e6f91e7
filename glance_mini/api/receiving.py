"""Receives the data of an upload: with a slot, and with memory that is given back when the upload has ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from glance_mini.api.body import read_chunks
from glance_mini.api.request import Request
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini_store.buffers import Buffers
from glance_mini_store.lanes import Chunk


@contextmanager
def receiving(
    request: Request, size: int | None, slots: TransferSlots, buffers: Buffers
) -> Iterator[tuple[Iterator[Chunk], int]]:
    """Yield the chunks of a body of ``size`` bytes (None: unknown) and the number of blocks that they are read into.

    Nothing is read before the chunks are. Raises TooBusy, BuffersExhausted, LengthRequired.
    """
    release = slots.take(request.context)
    try:
        with buffers.blocks(size) as blocks:
            yield read_chunks(request.environ, blocks), len(blocks)
    finally:
        release()
