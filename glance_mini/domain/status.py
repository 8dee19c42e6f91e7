"""Which image status may follow which (api-images-statuses)."""

from glance_mini.domain import errors
from glance_mini.domain.image import Image

PENDING_DELETE = "pending_delete"
"""The status of images that were deleted and can be restored for a while."""

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
"""Statuses that a running transfer holds and a lease limits."""

_NEED_FORMATS = frozenset({"saving", "active", "importing"})


def check_transition(image: Image, new: str) -> None:
    """Raise StatusConflict where ``image`` may not become ``new``; Invalid where a format is missing for it."""
    if new not in TRANSITIONS[image.status]:
        wanted = ", ".join(sorted(old for old, following in TRANSITIONS.items() if new in following))
        raise errors.StatusConflict(id=image.id, status=image.status, wanted=wanted)
    if image.status in ("queued", "uploading") and new in _NEED_FORMATS:
        check_formats(image)


def check_formats(image: Image) -> None:
    """Raise Invalid naming the formats that must be set before ``image`` can have data."""
    missing = [name for name in ("disk_format", "container_format") if getattr(image, name) is None]
    if missing:
        raise errors.Invalid(reason=f"Property {' and '.join(missing)} must be set prior to saving data.")
