"""Operations on images: their records, not their data (reference section 4, 7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.changes import ImageChanges
from glance_mini.domain.query import EVERYTHING, ImageQuery, Scope
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class LoadImage(Operation):
    """Return the image of that id as ``scope`` may see it; NotFound otherwise. Deleted images are not found.

    ``purpose`` is the name of the operation that wants it, empty where there is none. ``of_deleted``: a deleted
    image is found too where ``scope`` may restore it.
    """

    name: ClassVar[str] = "load_image"
    internal: ClassVar[bool] = True
    image_id: str
    scope: Scope = EVERYTHING
    purpose: str = ""
    of_deleted: bool = False


@dataclass(frozen=True)
class GetImage(ImageOperation):
    """Return the image."""

    name: ClassVar[str] = "get_image"


@dataclass(frozen=True)
class ListImages(Operation):
    """Return a ``Page`` of the images that ``query`` asks for, within ``scope``."""

    name: ClassVar[str] = "list_images"
    query: ImageQuery
    scope: Scope = EVERYTHING


@dataclass(frozen=True)
class CreateImage(Operation):
    """Create a queued image and return it.

    ``base`` holds base properties by name; ``id`` None lets the service choose. ``base["owner"]`` absent: the
    caller's project. Raises Duplicate for an id that is or was used.
    """

    name: ClassVar[str] = "create_image"
    id: str | None = None
    base: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class UpdateImage(ImageOperation):
    """Apply ``changes`` in order, all or none, and return the image after them."""

    name: ClassVar[str] = "update_image"
    changes: ImageChanges = ()
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class DeleteImage(ImageOperation):
    """Delete the image and its data; returns the image as it was when it was deleted."""

    name: ClassVar[str] = "delete_image"


@dataclass(frozen=True)
class DeactivateImage(ImageOperation):
    """Forbid the download of an active image; nothing happens where it is deactivated already."""

    name: ClassVar[str] = "deactivate_image"


@dataclass(frozen=True)
class ReactivateImage(ImageOperation):
    """Allow the download again; nothing happens where the image is active."""

    name: ClassVar[str] = "reactivate_image"


@dataclass(frozen=True)
class RestoreImage(ImageOperation):
    """Undo the deletion of an image whose data is still kept and return the image, in the status that it had.

    StatusConflict where it is not deleted; LimitExceeded where its project has no room for it any more.
    """

    name: ClassVar[str] = "restore_image"
    of_deleted: ClassVar[bool] = True
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class SetStatus(Operation):
    """Move an image from one of the statuses ``expect`` to ``status`` and return it; StatusConflict otherwise."""

    name: ClassVar[str] = "set_status"
    internal: ClassVar[bool] = True
    image_id: str
    status: str
    expect: frozenset[str]


OPERATIONS: tuple[type[Operation], ...] = (
    LoadImage,
    GetImage,
    ListImages,
    CreateImage,
    UpdateImage,
    DeleteImage,
    DeactivateImage,
    ReactivateImage,
    RestoreImage,
    SetStatus,
)
