"""Gives one event to the broker and tells whether the broker took it.

oslo.messaging's notifier raises nothing, and its drivers only log what the transport raises. So the transport is
watched: its RabbitMQ driver publishes with confirms and raises where the broker did not take a message.
"""

import logging
from typing import Any

from oslo_config import cfg

from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.event import Event
from glance_mini.notifications.publisher import Send, make_notify, open_transport


class NotTaken(GlanceMiniError):
    """The broker did not take an event, as far as is known; it may be tried again."""

    code = "notification.not_taken"
    template = "The broker did not take event {event}: {reason}"


def open_confirmed(conf: cfg.ConfigOpts) -> Send:
    """Return what sends an event once to all configured drivers, for one thread; it raises NotTaken.

    Drivers that use no transport, such as ``log``, are believed.
    """
    transport = open_transport(conf)
    failures = _watch(transport)
    notify = make_notify(conf, transport, retry=0)
    # The drivers log each failure with the payload and a traceback; whoever calls us tells of it in one line.
    logging.getLogger("oslo_messaging.notify.messaging").setLevel(logging.CRITICAL)

    def send(event: Event) -> None:
        failures.clear()
        notify(event)
        if failures:
            raise NotTaken(event=event.type, reason=f"{type(failures[0]).__name__}: {failures[0]}") from failures[0]

    return send


def _watch(transport: Any) -> list[Exception]:
    """Return the list to which all is added that ``transport`` raises from now on when it shall send."""
    failures: list[Exception] = []
    send = transport._send_notification

    def watched(*arguments: Any, **named: Any) -> None:
        try:
            send(*arguments, **named)
        except Exception as error:
            failures.append(error)
            raise

    transport._send_notification = watched
    return failures
