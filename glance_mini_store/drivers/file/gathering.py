"""Gathers the chunks of a stream in memory from which a file can be written past the page cache.

The system takes only memory that begins at a page for that. Bytes objects never do; the blocks of an upload do.
"""

import mmap
from collections.abc import Iterable, Iterator

from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import BLOCK


def gathered(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield the bytes of ``chunks`` in blocks of BLOCK bytes; writable chunks before all others as they are.

    All blocks are the same memory: write each before the next is asked for.
    """
    block = memoryview(mmap.mmap(-1, BLOCK, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    filled = 0
    for chunk in chunks:
        view = memoryview(chunk)
        if not filled and not view.readonly:
            yield view
            continue
        while view:
            count = min(len(view), BLOCK - filled)
            block[filled : filled + count] = view[:count]
            filled += count
            view = view[count:]
            if filled == BLOCK:
                yield block
                filled = 0
    if filled:
        yield block[:filled]
