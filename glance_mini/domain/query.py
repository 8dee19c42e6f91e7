"""What a list of images asks for, and who asks: filters, order, page and scope (api-images-list).

Parsing the query string is the controller's part, turning it into SQL the database's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.image import Image
from glance_mini.domain.status import PENDING_DELETE

SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")

VISIBILITIES = ("public", "community", "shared", "private")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose images may be seen: all (``is_admin``), or those of ``project_id``, shared with it, or public.

    The auth layer sets it; no controller does.
    """

    project_id: str | None = None
    is_admin: bool = False


EVERYTHING = Scope(is_admin=True)


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """Compares ``created_at`` or ``updated_at`` (UTC, without zone) by one of ``gt gte lt lte eq neq``.

    ``neq`` leaves out everything from ``value`` to before ``until``; None: that one moment.
    """

    field: str
    operator: str
    value: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RangeFilter:
    """Keeps images whose integer ``field`` is at least ``minimum`` and at most ``maximum``, both inclusive."""

    field: str
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """One page of images: all filters must hold.

    ``one_of`` maps a base property to the values allowed for it; ``properties`` are custom ones that must be equal.
    ``visibility`` None is the default set, ``all`` everything that may be seen. ``member_status`` limits images
    shared with the caller. ``sort`` holds (key, direction) pairs that end in a unique key. ``marker`` is the id of
    the last image of the page before.
    """

    one_of: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    times: tuple[TimeFilter, ...] = ()
    ranges: tuple[RangeFilter, ...] = ()
    visibility: str | None = None
    member_status: str = "accepted"
    os_hidden: bool = False
    sort: tuple[tuple[str, str], ...] = (("created_at", "desc"), ("id", "desc"))
    marker: str | None = None
    limit: int = 25

    @property
    def wants_deleted(self) -> bool:
        """Tell whether images are asked for that were deleted and can be restored, which no other list shows."""
        return self.one_of.get("status") == (PENDING_DELETE,)


@dataclass(frozen=True, slots=True)
class Page:
    """Images in order, and the id to ask on from: None when nothing is left.

    ``next_marker`` is the last of ``images``.
    """

    images: tuple[Image, ...]
    next_marker: str | None = None
