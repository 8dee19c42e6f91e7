"""What moves between this service and another image service: whole images, and what became of them."""

from dataclasses import dataclass
from datetime import datetime

from glance_mini.domain.image import Image
from glance_mini.domain.member import Member


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image with its members; ``scrub_at`` is the time until which an image in the trash can be restored.

    Members with ``deleted_at`` are memberships that have ended. ``scrub_at`` is set exactly for ``pending_delete``.
    """

    image: Image
    members: tuple[Member, ...] = ()
    scrub_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BuriedId:
    """The id of an image that was deleted at ``deleted_at`` (UTC without a zone; None: long ago)."""

    id: str
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TakenOver:
    """How many things a call added, changed and found unchanged; ``kept`` are the ids of those that it left alone.

    These were changed here later than there.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: tuple[str, ...] = ()
