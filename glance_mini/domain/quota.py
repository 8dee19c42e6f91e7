"""Limits and their resources: what is counted, and in which unit (api-quotas).

One conditional statement in the data access layer counts, so that two simultaneous requests cannot exceed a limit
together. The values here only carry the limits to that statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

IMAGE_SIZE_TOTAL = "image_size_total"
"""Bytes stored for a project: the sum over its images of size times number of locations."""
IMAGE_STAGE_TOTAL = "image_stage_total"
"""Bytes in the staging area of a project."""
IMAGE_COUNT_TOTAL = "image_count_total"
"""Images of a project."""
IMAGE_COUNT_UPLOADING = "image_count_uploading"
"""Running transfers of a project."""

IMAGE_SIZE_DELETED = "image_size_deleted"
"""Bytes of deleted images of a project that can still be restored: size times number of locations."""

RESOURCES = (IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, IMAGE_COUNT_TOTAL, IMAGE_COUNT_UPLOADING)
"""The resources that have limits of their own."""

COUNTED = (*RESOURCES, IMAGE_SIZE_DELETED)
"""The resources that are counted."""

IN_BYTES = frozenset({IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, IMAGE_SIZE_DELETED})
"""The resources that are counted in bytes; the other ones are numbers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that one write must respect; a missing resource and None mean no limit.

    ``project`` maps resources to limits (bytes or counts) of the project that owns the image; the other fields are
    counts for this image. ``together`` maps a resource to other ones that count under its limit too; they are
    resources ``IN_BYTES``. ``required`` are the custom properties without which the image gets no data.
    """

    project: Mapping[str, int] = field(default_factory=dict)
    together: Mapping[str, tuple[str, ...]] = field(default_factory=dict, kw_only=True)
    properties: int | None = None
    tags: int | None = None
    members: int | None = None
    locations: int | None = None
    required: tuple[str, ...] = ()


NO_LIMITS = Limits()
