"""Incremental images: what is stored of them is a delta, the blocks that differ from another image, their base.

The link to the base is made when a delta is uploaded (api-incremental-upload). Until then the property that names the
base is only a wish: services copy it into images that are whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BASE_PROPERTY = "os_base_image"
"""The property that names the base: writable until the image has data, then only a view of the link."""

DELTA_KEY = "os_glance_delta"
"""The key in a location's metadata under which the service keeps what is stored there; it is never shown."""

DISK_KEY = "os_glance_disk"
"""The key in a location's metadata for the id of a complete disk; it is never shown.

What is stored of an image may change while its complete disk, byte for byte, stays the same and keeps its id.
"""

MOST_NAMED = 10
"""The most images that a refusal names."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """A larger audience for an image: a new ``visibility``, or a new ``member``; one of them is not None."""

    visibility: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What a location of an incremental image holds: a delta to the image ``base``, its bytes and its hashes."""

    base: str
    size: int
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    """The link that an image gets with a delta: the most bases that may lie below it, and what was measured.

    ``cluster_size`` (bytes) is that of the complete disk. ``index`` lets a range of the complete disk be found at once;
    it is empty if it would be too large.
    """

    max_depth: int
    cluster_size: int
    index: bytes = b""


def delta_of(metadata: Mapping[str, object]) -> Delta | None:
    """Return the delta that the metadata of a location describes, None if the location holds whole data."""
    found = metadata.get(DELTA_KEY)
    if not isinstance(found, Mapping):
        return None
    return Delta(
        base=str(found["base"]),
        size=int(found["size"]),
        checksum=found.get("checksum"),
        os_hash_algo=found.get("os_hash_algo"),
        os_hash_value=found.get("os_hash_value"),
    )


def described(delta: Delta) -> dict[str, object]:
    """Return the entry for the metadata of a location that holds ``delta``."""
    return {
        DELTA_KEY: {
            "base": delta.base,
            "size": delta.size,
            "checksum": delta.checksum,
            "os_hash_algo": delta.os_hash_algo,
            "os_hash_value": delta.os_hash_value,
        }
    }
