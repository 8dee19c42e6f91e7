"""Decides what a listener gets of an event, by the rules of the calls that show and list images (api-events).

The audience of an event says who may see it. If the operator has changed the rule ``get_image`` or has further layers,
the image is asked for too, as a call that shows it does.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from glance_mini.domain.context import Context
from glance_mini.domain.event_log import NOBODY, LoggedEvent
from glance_mini.event_stream.messages import Messages, is_in
from glance_mini.operations.event_log import Watcher

_MOST_TOLD = 1000


class Told:
    """The images of which one listener has got an event, the last ``_MOST_TOLD`` of them."""

    def __init__(self) -> None:
        self._images: OrderedDict[str, None] = OrderedDict()

    def add(self, image_id: str) -> None:
        """Take note of an image."""
        self._images[image_id] = None
        self._images.move_to_end(image_id)
        if len(self._images) > _MOST_TOLD:
            self._images.popitem(last=False)

    def remove(self, image_id: str) -> bool:
        """Forget an image and return whether it was known."""
        is_known = image_id in self._images
        self._images.pop(image_id, None)
        return is_known


class Selection:
    """The choice for one event; callers who are alike are asked for once.

    ``may_see`` returns whether a call of that caller may show an image.
    """

    def __init__(self, messages: Messages, may_see: Callable[[Context, str], bool]) -> None:
        self._messages = messages
        self._may_see = may_see
        self._answers: dict[Context, bool] = {}

    def choose(self, context: Context, watcher: Watcher, told: Told) -> bytes | None:
        """Return what the caller gets; None for nothing. ``told`` is used if the rules are asked."""
        event = self._messages.event
        if not self._is_allowed(event, watcher):
            return None
        is_seen, was_seen = self._is_seen(event, watcher)
        if not watcher.asks_rules or self._messages.image_id is None:
            return self._messages.whole if is_seen else self._messages.gone if was_seen else None
        if is_seen and self._is_shown(context, self._messages.image_id):
            told.add(self._messages.image_id)
            return self._messages.whole
        # Whether the rules let the caller see the image before is not known any more, but what was told is.
        return self._messages.gone if (is_seen or was_seen) and told.remove(self._messages.image_id) else None

    def _is_allowed(self, event: LoggedEvent, watcher: Watcher) -> bool:
        return not event.is_of_task or self._messages.image_id is not None or watcher.sees_tasks

    def _is_seen(self, event: LoggedEvent, watcher: Watcher) -> tuple[bool, bool]:
        """Return whether the caller may see what the event tells, and whether it could see it before."""
        if watcher.scope.is_admin:
            is_there = event.after != NOBODY or event.is_of_task
            return is_there, not is_there
        return is_in(event.after, watcher.scope), is_in(event.before, watcher.scope)

    def _is_shown(self, context: Context, image_id: str) -> bool:
        caller = replace(context, request_id="", global_request_id=None)
        if caller not in self._answers:
            self._answers[caller] = self._may_see(caller, image_id)
        return self._answers[caller]
