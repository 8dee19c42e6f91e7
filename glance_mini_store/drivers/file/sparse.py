"""Which parts of a chunk hold anything but zero bytes, so that the rest can be left as holes of a file."""

from collections.abc import Iterator


def data_runs(chunk: bytes, position: int, zeros: bytes) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of ``chunk`` to be written.

    Left out are whole blocks of zero bytes, as long as ``zeros`` and aligned to their length in the file.
    Looking at a block that is not zero costs one comparison that ends at its first byte and copies nothing.
    """
    grain = len(zeros)
    start = 0
    for block in range(-position % grain, len(chunk) - grain + 1, grain):
        if chunk.startswith(zeros, block):
            if start < block:
                yield start, block
            start = block + grain
    if start < len(chunk):
        yield start, len(chunk)
