"""The membership of a project in a shared image (api-members)."""

from dataclasses import dataclass
from datetime import datetime

MEMBER_STATUSES = ("pending", "accepted", "rejected")


@dataclass(frozen=True, slots=True)
class Member:
    """A project with which an image is shared; times in UTC without a zone."""

    image_id: str
    member_id: str
    status: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
