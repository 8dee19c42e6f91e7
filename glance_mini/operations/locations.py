"""Operations on the locations of an image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.image import Image, Location
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class GetLocations(ImageOperation[tuple[Location, ...]]):
    """Return the locations of the image."""

    name: ClassVar[str] = "get_locations"
    writes: ClassVar[bool] = False


@dataclass(frozen=True)
class AddLocation(ImageOperation[Image]):
    """Add a location to a queued image and return the image; a job may verify or compute the hash.

    ``hash_algorithm`` and ``hash_value`` must both be given or both be None.
    """

    name: ClassVar[str] = "add_location"
    url: str = field(default="", repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict)
    hash_algorithm: str | None = None
    hash_value: str | None = None
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class DeleteFromStore(ImageOperation[Image]):
    """Remove the data of an active image from one of its stores; return the image."""

    name: ClassVar[str] = "delete_from_store"
    for_owner: ClassVar[bool] = True
    store: str = ""


OPERATIONS: tuple[type[Operation[object]], ...] = (GetLocations, AddLocation, DeleteFromStore)
