"""Lists the blocks of the disk of an image with their hashes, which a job computes when somebody first asks.

A page comes from the database; only the difference to another image, and the parts of one block, are read from stores.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from glance_mini.content.disks import Disks, unreadable
from glance_mini.content.qcow2.block_hashes import BLOCK, SMALL_BLOCK, allocated_blocks, hash_blocks
from glance_mini.content.qcow2.errors import Unsupported
from glance_mini.content.qcow2.extents import Chain
from glance_mini.domain.blocks import (
    BLOCK_HASHES,
    DIGEST,
    MOST_PARTS,
    NOTHING,
    PART,
    Block,
    BlockPage,
    KnownHashes,
    parts_of,
)
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Invalid, StatusConflict, UnsafeContent
from glance_mini.domain.job import new_job
from glance_mini.operations.base import DataCall
from glance_mini.operations.blocks import BeginBlockHashes, GetBlockHashes, ListBlocks
from glance_mini_store import errors as store_errors

PARTS_AT_ONCE = 16
PARTS_OF_A_PAGE = 64
"""The most parts that one page looks through for allocated blocks: those of a disk of 256 GiB."""

PRIORITY = -5
"""Below that of imports."""

Below = Callable[[DataCall[object]], object]


def list_blocks(
    context: Context, op: ListBlocks, disks: Disks, below: Below, wake: Callable[[], None]
) -> BlockPage | None:
    """Return the page that ``op`` asks for, None while the hashes are not known.

    ``wake`` is called after a job was added. Raises what ``ListBlocks`` says, and StoreError.
    """
    if op.target.status not in ("active", "deactivated"):
        raise StatusConflict(id=op.image_id, status=op.target.status, wanted="active")
    images = op.chain or (op.target,)
    depth = None if op.since is None else _depth([image.id for image in images], op.since)
    chain = disks.chain(images)
    try:
        size = op.target.virtual_size or chain.size
        if op.within is not None:
            return _parts_of_block(chain, size, op.within)
        parts = parts_of(size, BLOCK)
        if parts > MOST_PARTS:
            raise Conflict(reason=f"The disk of image {op.image_id} is larger than {MOST_PARTS * PART * BLOCK} bytes.")
        hashes = _Hashes(op.image_id, below)
        if hashes.count < parts:
            if below(BeginBlockHashes(new_job(context, BLOCK_HASHES, {}, image_id=op.image_id, priority=PRIORITY))):
                wake()
            return None
        if depth is None:
            return _allocated(op, size, hashes)
        return _changed(op, chain, size, depth, hashes)
    except Unsupported as error:
        raise Conflict(reason=f"The disk of image {op.image_id} cannot be read: {error}") from error
    except (UnsafeContent, store_errors.NotFound) as error:
        raise unreadable(error) from error


def _depth(ids: list[str], since: str) -> int:
    if since not in ids[1:]:
        raise Invalid(reason=f"Image {since} is not among the bases of the image.")
    return ids.index(since)


class _Hashes:
    """The known hashes of an image; parts are read from the database as they are needed."""

    def __init__(self, image_id: str, below: Below) -> None:
        self._image_id = image_id
        self._below = below
        self._first = 0
        self._parts: tuple[bytes, ...] = ()
        self.count = self._get(0, 0).count

    def part(self, number: int) -> bytes:
        """Return the hashes of one part; they end with the last allocated block."""
        if not self._first <= number < self._first + len(self._parts):
            self._first, self._parts = number, self._get(number, PARTS_AT_ONCE).parts
        # The data may have been replaced since they were counted.
        return self._parts[number - self._first] if self._parts else b""

    def of(self, block: int) -> bytes:
        """Return the hash of one block."""
        at = block % PART * DIGEST
        return self.part(block // PART)[at : at + DIGEST] or NOTHING

    def _get(self, first: int, max_parts: int) -> KnownHashes:
        found = self._below(GetBlockHashes(self._image_id, first, max_parts))
        assert isinstance(found, KnownHashes)
        return found


def _allocated(op: ListBlocks, size: int, hashes: _Hashes) -> BlockPage:
    """Return the blocks that the job found allocated."""
    number, found = op.offset // BLOCK, list[Block]()
    end = min(-(-size // BLOCK), (number // PART + PARTS_OF_A_PAGE) * PART)
    while number < end and len(found) < op.limit:
        part = hashes.part(number // PART)
        digest = part[number % PART * DIGEST :][:DIGEST]
        if not digest:
            number = (number // PART + 1) * PART
            continue
        if digest != NOTHING:
            found.append(_block(number, BLOCK, size, digest))
        number += 1
    return _page(size, found, number * BLOCK)


def _changed(op: ListBlocks, chain: Chain, size: int, depth: int, hashes: _Hashes) -> BlockPage:
    """Return the blocks that the uppermost ``depth`` images hold."""
    wanted = _numbers(allocated_blocks(chain, op.offset // BLOCK * BLOCK, None, depth))
    found = [_block(number, BLOCK, size, hashes.of(number)) for number in islice(wanted, op.limit)]
    following = next(wanted, None)
    return _page(size, found, size if following is None else following * BLOCK)


def _parts_of_block(chain: Chain, size: int, block: int) -> BlockPage:
    """Return the hashes of the parts of one block, read now."""
    ratio = BLOCK // SMALL_BLOCK
    if block * BLOCK >= size:
        raise Invalid(reason=f"The disk has {size} bytes and no block {block}.")
    parts = hash_blocks(chain, block * ratio, (block + 1) * ratio, SMALL_BLOCK)
    found = [_block(number, SMALL_BLOCK, size, digest) for number, digest in parts]
    return BlockPage(size, SMALL_BLOCK, tuple(found))


def _numbers(ranges: Iterator[tuple[int, int]]) -> Iterator[int]:
    for offset, length in ranges:
        yield from range(offset // BLOCK, -(-(offset + length) // BLOCK))


def _block(number: int, block_size: int, size: int, digest: bytes) -> Block:
    offset = number * block_size
    return Block(offset, min(block_size, size - offset), None if digest == NOTHING else digest.hex())


def _page(size: int, found: list[Block], next_offset: int) -> BlockPage:
    return BlockPage(size, BLOCK, tuple(found), next_offset if next_offset < size else None)
