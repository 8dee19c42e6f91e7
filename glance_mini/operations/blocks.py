"""Operations and data calls on the blocks of the disk of an image."""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.domain.blocks import BlockPage, KnownHashes
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.operations.base import WORKER, DataCall, DataQuery, ImageOperation, Operation, Role


@dataclass(frozen=True)
class ListBlocks(ImageOperation[BlockPage | None]):
    """Return a page of the allocated blocks of a disk; None while a job computes their hashes, which it begins.

    ``since`` names an image of the chain: only blocks that the images above it hold. ``offset`` is the first byte, and
    ``limit`` the most blocks. ``within`` is the number of a block whose parts are wanted instead. ``chain`` as for
    ``DownloadData``. Raises Conflict if the image is not a disk that is read here, Invalid.
    """

    name: ClassVar[str] = "list_blocks"
    writes: ClassVar[bool] = False
    since: str | None = None
    offset: int = 0
    limit: int = 1000
    within: int | None = None
    chain: tuple[Image, ...] = ()


@dataclass(frozen=True)
class GetBlockHashes(DataQuery[KnownHashes]):
    """Return how many parts of the hashes of an image are known, and up to ``max_parts`` of them from ``first``."""

    name: ClassVar[str] = "get_block_hashes"
    image_id: str
    first: int = 0
    max_parts: int = 0


@dataclass(frozen=True)
class SaveBlockHashes(DataCall[bool]):
    """Save the next part of the hashes of an image and return True; False if it is not the next one any more."""

    name: ClassVar[str] = "save_block_hashes"
    callers: ClassVar[frozenset[Role]] = WORKER
    image_id: str
    part: int
    hashes: bytes


@dataclass(frozen=True)
class BeginBlockHashes(DataCall[bool]):
    """Add a job that computes the hashes of blocks, unless one has not ended; return whether it was added.

    Raises NotFound.
    """

    name: ClassVar[str] = "begin_block_hashes"
    may_repeat: ClassVar[bool] = True
    job: Job


OPERATIONS: tuple[type[Operation[object]], ...] = (ListBlocks, GetBlockHashes, SaveBlockHashes, BeginBlockHashes)
