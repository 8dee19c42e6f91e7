"""The query of a list of images: filters, order, page and scope (api-images-list).

The controller parses the query string; the data access layer makes SQL of the query.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.image import Image
from glance_mini.domain.status import PENDING_DELETE

SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")

VISIBILITIES = ("public", "community", "shared", "private")
EVERYONES = ("public", "community")
"""The visibilities with which every project may read an image."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The visible images: all (``is_admin``), or those of ``project_id``, shared with it, or public.

    Only the auth layer sets it, never a controller.
    """

    project_id: str | None = None
    is_admin: bool = False


EVERYTHING = Scope(is_admin=True)


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """Compares ``created_at`` or ``updated_at`` (UTC, without zone) by one of ``gt gte lt lte eq neq``.

    ``neq`` leaves out everything from ``value`` to before ``until``, or only ``value`` if ``until`` is None.
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
    """One page of images that match all filters.

    ``one_of`` maps a base property to its allowed values; ``properties`` are custom properties that must be equal.
    ``visibility`` None means the default set, ``all`` every visible image. ``member_status`` limits images
    shared with the caller. ``sort`` holds (key, direction) pairs that end in a unique key. ``marker`` is the id of
    the last image of the previous page. ``max_bytes``: the page ends before an image with which its properties, tags
    and locations would have more bytes; it always has one image. None means no limit. ``name_part`` keeps images with
    this text in their name. It looks at ``max_searched`` images that match all else: the page ends with them, even if
    it has fewer images than ``limit``, or none.
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
    max_bytes: int | None = None
    name_part: str | None = None
    max_searched: int = 10_000

    @property
    def wants_deleted(self) -> bool:
        """Whether the query asks for deleted images that can be restored; no other list shows them."""
        return self.one_of.get("status") == (PENDING_DELETE,)


@dataclass(frozen=True, slots=True)
class Page:
    """Images in order, and the marker of the next page.

    ``next_marker`` is the id of the last of ``images``, or of the last one that a search looked at; None if no page
    follows.
    """

    images: tuple[Image, ...]
    next_marker: str | None = None
