"""Limits and their resources: what is counted, in which unit (api-quotas).

The counting itself is one conditional statement in the data access layer, so that two requests at once cannot
pass a limit together; values here only say which limits a statement carries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

IMAGE_SIZE_TOTAL = "image_size_total"
"""Bytes stored for a project: size times locations of its images."""
IMAGE_STAGE_TOTAL = "image_stage_total"
"""Bytes in the staging area of a project."""
IMAGE_COUNT_TOTAL = "image_count_total"
"""Images of a project."""
IMAGE_COUNT_UPLOADING = "image_count_uploading"
"""Transfers of a project that run now."""

RESOURCES = (IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, IMAGE_COUNT_TOTAL, IMAGE_COUNT_UPLOADING)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that one write must respect; a resource that is absent, and None, have no limit.

    ``project`` maps resources to limits (bytes or counts) of the project that owns the image; the others are
    counts for the one image.
    """

    project: Mapping[str, int] = field(default_factory=dict)
    properties: int | None = None
    tags: int | None = None
    members: int | None = None
    locations: int | None = None


NO_LIMITS = Limits()
