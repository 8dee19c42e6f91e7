"""Events as a stream carries them: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The id of a message is a position: a client that comes back with it in ``Last-Event-ID`` misses nothing.
"""

import orjson

from glance_mini.domain.event_log import IMAGE_DELETE, IMAGE_GONE, Audience, LoggedEvent
from glance_mini.domain.query import Scope

HEARTBEAT = b":\n\n"
RETRY_MILLISECONDS = 3000
"""The pause of a client before it comes back."""


def message(kind: str, data: object, position: int) -> bytes:
    """Return one message; ``data`` becomes JSON."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (kind.encode(), position, orjson.dumps(data))


def greeting(position: int, reset: bool) -> bytes:
    """Return the message before what happens from now on: ``ready``, or ``reset`` if events may have been missed."""
    kind = "reset" if reset else "ready"
    return b"retry: %d\n%s" % (RETRY_MILLISECONDS, message(kind, {}, position))


def is_in(audience: Audience, scope: Scope) -> bool:
    """Return whether the caller with ``scope``, who is no administrator, belongs to ``audience``."""
    return audience.everyone or (scope.project_id is not None and scope.project_id in audience.projects)


class Messages:
    """The two forms of one event at ``position``: for those who may see it, and for those who may see it no more."""

    def __init__(self, event: LoggedEvent, position: int) -> None:
        self.event = event
        self.image_id = event.image_id
        self._position = position
        self._whole: bytes | None = None
        self._gone: bytes | None = None

    @property
    def whole(self) -> bytes:
        """The event itself."""
        if self._whole is None:
            self._whole = message(self.event.type, dict(self.event.data), self._position)
        return self._whole

    @property
    def gone(self) -> bytes:
        """The end of the image for a caller; whoever saw a deleted image learns that it was deleted."""
        if self._gone is None:
            kind = IMAGE_DELETE if self.event.type == IMAGE_DELETE else IMAGE_GONE
            self._gone = message(kind, {"id": self.image_id}, self._position)
        return self._gone
