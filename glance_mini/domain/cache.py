"""What is known about the images in the caches of the nodes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """An image in the cache of a node, or one that was: ``size`` are the bytes there; times are UTC without a zone.

    ``is_complete``: all of its data is there. ``hits`` are the reads that the cache answered alone.
    """

    image_id: str
    size: int
    is_complete: bool
    hits: int
    last_accessed: datetime
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class CachedSize:
    """How much of an image a node has in its cache."""

    image_id: str
    size: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class CacheListing:
    """The complete images in the cache of this node, and the ids of those that wait to be cached."""

    cached: tuple[CacheRecord, ...]
    queued: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pruned:
    """The number of images that were removed from a cache, and the bytes that they occupied."""

    images: int
    size: int
