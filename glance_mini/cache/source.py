"""Where the data of an image comes from if the cache lacks it: its locations in stores."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from glance_mini.content.failover import FailoverChunks
from glance_mini.domain.image import Image, Location
from glance_mini.metrics import Metrics
from glance_mini_store.buffers import Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.lanes import Chunk
from glance_mini_store.stores import Stores


class Chunks(Iterator[bytes], Protocol):
    """Bytes that are being read, until ``close``."""

    def close(self) -> None:
        """End the reading; may be repeated."""


class DataSource(Protocol):
    """Where the data of an image comes from: its locations, or what is made of several files while it is read."""

    @property
    def stores(self) -> Stores:
        """Return the stores of ``locations``."""

    @property
    def locations(self) -> Sequence[Location]:
        """Return the places that hold the very bytes of the data; none if it is made while it is read."""

    def open(self, offset: int, length: int, is_part: bool, buffers: Buffers | None = None) -> Chunks:
        """Return ``length`` bytes from ``offset``, opened; ``buffers`` None: the caller has the memory."""


@dataclass(frozen=True)
class Source:
    """The locations of one image in the order in which they are tried, and for whom the stores are read."""

    stores: Stores
    locations: Sequence[Location]
    metrics: Metrics
    caller: Caller | None = None

    def open(self, offset: int, length: int, is_part: bool, buffers: Buffers | None = None) -> FailoverChunks:
        """Return ``length`` bytes from ``offset``, opened; ``buffers`` None: the caller has the memory.

        Raises what ``FailoverChunks.open`` raises.
        """
        chunks = FailoverChunks(
            self.stores, self.locations, offset, length, is_part, self.metrics, buffers, self.caller
        )
        chunks.open()
        return chunks


def name_of(image: Image) -> str:
    """Return the name of the entry that holds the data of ``image``; other data of the same image has another name."""
    if image.os_hash_value or image.checksum:
        identity: object = (image.os_hash_algo, image.os_hash_value, image.checksum)
    else:
        identity = sorted(location.url for location in image.locations)
    return f"{image.id}.{blake2b(repr((image.size, identity)).encode(), digest_size=8).hexdigest()}"


class ImageHash:
    """The hash that the record of an image has, computed again; ``is_known`` False: the record has none."""

    def __init__(self, image: Image) -> None:
        algorithm, self._wanted = image.os_hash_algo, image.os_hash_value
        if not (algorithm and self._wanted and algorithm in hashlib.algorithms_available):
            algorithm, self._wanted = "md5", image.checksum
        self.is_known = bool(self._wanted)
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, chunk: Chunk) -> None:
        """Hash one more chunk."""
        if self.is_known:
            self._hash.update(chunk)

    def fits(self) -> bool:
        """Return whether the chunks have the hash of the record, or it has none."""
        return not self.is_known or self._hash.hexdigest() == self._wanted
