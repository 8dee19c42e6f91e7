"""One notification, on its way from a change to the broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Payload = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """One notification: ``priority`` is a method of oslo.messaging's notifier, ``caller`` describes the caller.

    ``image_id`` names the image whose events keep their order; None if the order does not matter. ``created_at`` (UTC
    without a zone) and ``id`` are None until the event is stored.
    """

    type: str
    payload: Payload
    priority: str = "info"
    caller: Mapping[str, object] = field(default_factory=dict)
    image_id: str | None = None
    created_at: datetime | None = field(default=None, compare=False)
    id: int | None = field(default=None, compare=False)
