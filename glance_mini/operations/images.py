"""Operations on image records; operations on image data are in ``data``."""

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
    """Return a new random image id."""
    return str(uuid4())


@dataclass(frozen=True)
class GetImage(ImageOperation[Image]):
    """Return the image."""

    name: ClassVar[str] = "get_image"
    writes: ClassVar[bool] = False


@dataclass(frozen=True)
class ListImages(DataQuery[Page]):
    """Return a ``Page`` of the images that ``query`` asks for, within ``scope``.

    ``next_marker`` is set if the page is full and its limit is not zero. If the query asks for deleted images, they
    have the property ``os_glance_scrub_at``. Raises Invalid if the marker is not an image that ``scope`` may see.
    """

    name: ClassVar[str] = "list_images"
    internal: ClassVar[bool] = False
    query: ImageQuery
    scope: Scope = EVERYTHING


@dataclass(frozen=True)
class CreateImage(DataCall[Image]):
    """Create a queued image, count it for its owner, and return it.

    ``base`` holds base properties by name. The default ``id`` is random. If ``base["owner"]`` is absent, the owner is
    the caller's project. ``locations`` are set only for an image that is migrated with its data, in the status of
    ``base``; requests never set them. Raises Duplicate for an id that is or was in use, LimitExceeded.
    """

    name: ClassVar[str] = "create_image"
    internal: ClassVar[bool] = False
    id: str = field(default_factory=new_image_id)
    base: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    limits: Limits = NO_LIMITS
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True)
class UpdateImage(ImageOperation[Image], DataCall[Image]):
    """Apply ``changes`` in order to the current image, all or none, and return the changed image.

    A removed location becomes a pending deletion. Raises NotFound and the errors of ``domain.changes.apply``.
    """

    name: ClassVar[str] = "update_image"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    changes: ImageChanges = ()
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class DeleteImage(ImageOperation[Image]):
    """Delete the image and its data; return the deleted image."""

    name: ClassVar[str] = "delete_image"
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class DeactivateImage(ImageOperation[Image]):
    """Forbid the download of an active image and return it; do nothing if it is already deactivated.

    Raises ChainConflict if an active image is based on it, unless ``force``.
    """

    name: ClassVar[str] = "deactivate_image"
    for_owner: ClassVar[bool] = True
    force: bool = False


@dataclass(frozen=True)
class ReactivateImage(ImageOperation[Image]):
    """Allow the download again and return the image; do nothing if it is already active."""

    name: ClassVar[str] = "reactivate_image"
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class RestoreImage(ImageOperation[Image], DataCall[Image]):
    """Restore an image from the trash to its previous status and return it.

    Raises StatusConflict if it is not in the trash, LimitExceeded if its project has no room for it, NotFound.
    """

    name: ClassVar[str] = "restore_image"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    of_deleted: ClassVar[bool] = True
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class PurgeImage(ImageOperation[Image]):
    """Delete an image in the trash permanently, with its data, and return it.

    Raises StatusConflict if it is not in the trash, NotFound.
    """

    name: ClassVar[str] = "purge_image"
    for_owner: ClassVar[bool] = True
    of_deleted: ClassVar[bool] = True


OPERATIONS: tuple[type[Operation[object]], ...] = (
    GetImage,
    ListImages,
    CreateImage,
    UpdateImage,
    DeleteImage,
    DeactivateImage,
    ReactivateImage,
    RestoreImage,
    PurgeImage,
)
