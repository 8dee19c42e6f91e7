"""What a download is of: the data of an image, the complete disk of a chain, the guest's bytes, or a stored delta."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from glance_mini.content.disks import Disks, DiskSource, OpenedDisk, complete_disk, raw_disk
from glance_mini.domain.errors import Conflict
from glance_mini.domain.image import Image
from glance_mini.operations.base import DataCall
from glance_mini.operations.bases import GetDiskIndex, LoadChain
from glance_mini.operations.data import DELTA, RAW, DownloadData


@dataclass(frozen=True)
class Wanted:
    """``image`` has the size and the hashes of what is sent; ``source`` None: what its locations hold.

    ``is_cached``: whether the bytes are those that the cache keeps of the image.
    """

    image: Image
    source: DiskSource | None = None
    is_cached: bool = True

    @property
    def is_stored(self) -> bool:
        """Whether a store holds the very bytes of the image."""
        return self.source is None and self.is_cached


def choose(op: DownloadData, disks: Disks, below: Callable[[DataCall[object]], object]) -> Wanted:
    """Return what ``op`` asks for; raises Conflict if the image does not have it, StoreError."""
    image = op.target
    if op.shape == DELTA:
        return _stored_delta(image)
    if op.shape == RAW and not (image.base is None and image.disk_format == "raw"):
        return _guest_bytes(op, disks, below)
    if image.base is None:
        return Wanted(image)
    chain = list(op.chain)

    def load() -> OpenedDisk:
        # The first time it is the chain of which the layers above know that the caller may see it.
        images = tuple(chain) or _chain(below, image.id)
        chain.clear()
        index = below(GetDiskIndex(image.id))
        assert isinstance(index, bytes)
        return complete_disk(disks, images, index)

    return Wanted(image, DiskSource(disks.stores, load))


def _stored_delta(image: Image) -> Wanted:
    delta = image.locations[0].delta
    if delta is None:
        raise Conflict(reason=f"Image {image.id} is whole; it is not stored as a delta.")
    own = replace(
        image,
        size=delta.size,
        checksum=delta.checksum,
        os_hash_algo=delta.os_hash_algo,
        os_hash_value=delta.os_hash_value,
    )
    return Wanted(own, is_cached=False)


def _guest_bytes(op: DownloadData, disks: Disks, below: Callable[[DataCall[object]], object]) -> Wanted:
    image, images = op.target, op.chain or (op.target,)
    opened = None if op.head and image.virtual_size is not None else raw_disk(disks, images)
    size = image.virtual_size if opened is None else opened.disk.size
    first = [] if opened is None else [opened]

    def load() -> OpenedDisk:
        return first.pop() if first else raw_disk(disks, _chain(below, image.id))

    own = replace(image, size=size, checksum=None, os_hash_algo=None, os_hash_value=None)
    return Wanted(own, DiskSource(disks.stores, load), is_cached=False)


def _chain(below: Callable[[DataCall[object]], object], image_id: str) -> tuple[Image, ...]:
    found = below(LoadChain(image_id))
    assert isinstance(found, tuple)
    return found
