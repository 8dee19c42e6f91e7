"""The allowed transitions between image statuses (api-images-statuses)."""

from collections.abc import Iterable

from glance_mini.domain import errors
from glance_mini.domain.image import Image

PENDING_DELETE = "pending_delete"
"""The status of images in the trash: they are deleted and can be restored for a while."""

TRANSITIONS: dict[str, frozenset[str]] = {
    "queued": frozenset({"saving", "uploading", "importing", "active", "deleted"}),
    "saving": frozenset({"active", "queued", "killed", "deleted"}),
    "uploading": frozenset({"importing", "queued", "deleted"}),
    "importing": frozenset({"active", "queued", "deleted"}),
    "active": frozenset({"deactivated", "pending_delete", "deleted"}),
    "deactivated": frozenset({"active", "pending_delete", "deleted"}),
    "killed": frozenset({"deleted"}),
    "pending_delete": frozenset({"deleted", "active"}),
    "deleted": frozenset(),
}

STATUSES = tuple(TRANSITIONS)

IN_TRANSFER = frozenset({"saving", "uploading", "importing"})
"""Statuses of an image whose transfer is running under a lease."""

WITHOUT_DATA = frozenset({"queued", "uploading"})
"""Statuses of an image that is not about to become active; it may still lack formats and required properties."""

_NEED_FORMATS = frozenset({"saving", "active", "importing"})


def check_transition(image: Image, new: str) -> None:
    """Raise StatusConflict if ``image`` may not become ``new``, Invalid if a format that ``new`` needs is missing."""
    if new not in TRANSITIONS[image.status]:
        wanted = ", ".join(sorted(old for old, following in TRANSITIONS.items() if new in following))
        raise errors.StatusConflict(id=image.id, status=image.status, wanted=wanted)
    if image.status in WITHOUT_DATA and new in _NEED_FORMATS:
        check_formats(image)


def check_required(image: Image, required: Iterable[str]) -> None:
    """Raise PropertyRequired if ``image`` lacks a custom property without which it cannot have data."""
    for name in required:
        if name not in image.properties:
            raise errors.PropertyRequired(name=name, id=image.id)


def check_formats(image: Image) -> None:
    """Raise Invalid with the names of missing formats if ``image`` cannot have data without them."""
    missing = [name for name in ("disk_format", "container_format") if getattr(image, name) is None]
    if missing:
        raise errors.Invalid(reason=f"Property {' and '.join(missing)} must be set prior to saving data.")
