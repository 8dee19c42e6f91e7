"""The stream of events (api-events)."""

import re
from collections.abc import Callable, Iterable
from socket import socket

from oslo_config import cfg

from glance_mini.api.errors import NoStreams, TooManyListeners, UnknownPath
from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.domain.errors import Invalid
from glance_mini.event_stream.credentials import CHECKED, kept_environ
from glance_mini.event_stream.hub import EventHub
from glance_mini.event_stream.listener import Listener
from glance_mini.layers.stack import Stack, has_further_layers
from glance_mini.operations.event_log import WatchEvents

_LEAVING = "glance_mini.leaving"
"""The key in the environment for a kind of answer whose connection leaves the server; no streams without it."""

_EVENT_ID = re.compile(r"[0-9]{1,18}")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Leaving = Callable[[Callable[[socket, bytes], None]], Iterable[bytes]]


class EventsController:
    """Answers ``/v2/events``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, hub: EventHub) -> None:
        self.domain = domain
        self._hub = hub
        self._is_on = conf.events.log
        self._asks_rules = has_further_layers(conf)

    def watch(self, request: Request) -> Response:
        """Begin a stream, or check whether the caller of one may still have it."""
        if not self._is_on:
            raise UnknownPath()
        context = request.context
        watcher = self.domain.call(context, WatchEvents(asks_rules=self._asks_rules))
        checked: Listener | None = request.environ.get(CHECKED)
        if checked is not None:
            checked.caller = (context, watcher)
            return empty_response()
        leaving: Leaving | None = request.environ.get(_LEAVING)
        if leaving is None:
            raise NoStreams()
        limit = self._hub.settings.max_pending_bytes
        listener = Listener((context, watcher), kept_environ(request.environ), _last_event_id(request), limit)
        if (full := self._hub.full_at(listener.who)) is not None:
            raise TooManyListeners(limit=full)
        response = Response(content_type="text/event-stream", charset=None)
        del response.content_length
        response.headers.update(_HEADERS)
        response.app_iter = leaving(lambda sock, head: self._hub.take(listener, sock, head))
        return response


def _last_event_id(request: Request) -> int | None:
    text = request.headers.get("Last-Event-ID")
    if text is None:
        return None
    if not _EVENT_ID.fullmatch(text):
        raise Invalid(reason="The header Last-Event-ID must have the id of an event.")
    return int(text)
