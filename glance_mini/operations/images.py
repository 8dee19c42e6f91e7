"""Operations on images: their records, not their data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import uuid4

from glance_mini.domain.changes import ImageChanges
from glance_mini.domain.image import Image, Location
from glance_mini.domain.query import EVERYTHING, ImageQuery, Page, Scope
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.base import DataCall, DataQuery, ImageOperation, Operation


def new_image_id() -> str:
    """Return an id that no image has."""
    return str(uuid4())


@dataclass(frozen=True)
class GetImage(ImageOperation[Image]):
    """Return the image."""

    name: ClassVar[str] = "get_image"
    writes: ClassVar[bool] = False


@dataclass(frozen=True)
class ListImages(DataQuery[Page]):
    """Return a ``Page`` of the images that ``query`` asks for, within ``scope``.

    ``next_marker`` is set when the page is full and its limit not zero. Deleted images, where the query wants them,
    have the property ``os_glance_scrub_at``. Raises Invalid where the marker is no image that ``scope`` may see.
    """

    name: ClassVar[str] = "list_images"
    internal: ClassVar[bool] = False
    query: ImageQuery
    scope: Scope = EVERYTHING


@dataclass(frozen=True)
class CreateImage(DataCall[Image]):
    """Create a queued image, count it for its owner, and return it.

    ``base`` holds base properties by name; a missing ``id`` is chosen. ``base["owner"]`` absent: the caller's project.
    ``locations`` are those of an image that is taken over with its data and the status that ``base`` says; no request
    gives them. Raises Duplicate for an id that is or was used, LimitExceeded.
    """

    name: ClassVar[str] = "create_image"
    internal: ClassVar[bool] = False
    id: str = field(default_factory=new_image_id)
    base: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = NO_LIMITS
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True)
class UpdateImage(ImageOperation[Image], DataCall[Image]):
    """Apply ``changes`` in order to the image as it is now, all or none, and return the image after them.

    A location that goes becomes a pending deletion. Raises NotFound, and what ``domain.changes.apply`` raises.
    """

    name: ClassVar[str] = "update_image"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    changes: ImageChanges = ()
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class DeleteImage(ImageOperation[Image]):
    """Delete the image and its data; returns the image as it was when it was deleted."""

    name: ClassVar[str] = "delete_image"
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class DeactivateImage(ImageOperation[Image]):
    """Forbid the download of an active image; nothing happens where it is deactivated already."""

    name: ClassVar[str] = "deactivate_image"
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class ReactivateImage(ImageOperation[Image]):
    """Allow the download again; nothing happens where the image is active."""

    name: ClassVar[str] = "reactivate_image"
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class RestoreImage(ImageOperation[Image], DataCall[Image]):
    """Undo the deletion of an image whose data is still kept and return the image, in the status that it had.

    Raises StatusConflict where it is not deleted, LimitExceeded where its project has no room for it, NotFound.
    """

    name: ClassVar[str] = "restore_image"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    of_deleted: ClassVar[bool] = True
    limits: Limits = NO_LIMITS


OPERATIONS: tuple[type[Operation[object]], ...] = (
    GetImage,
    ListImages,
    CreateImage,
    UpdateImage,
    DeleteImage,
    DeactivateImage,
    ReactivateImage,
    RestoreImage,
)
