"""Sends one event to the broker and raises an error if the broker did not accept it.

oslo.messaging's notifier raises nothing, and its drivers only log the errors of the transport. So this module records
them: the RabbitMQ driver publishes with confirms and raises if the broker did not accept a message.
"""

import logging
from typing import TYPE_CHECKING

from oslo_config import cfg

from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.event import Event
from glance_mini.notifications.publisher import Send, make_notify, open_transport

if TYPE_CHECKING:
    from oslo_messaging.transport import NotificationTransport


class NotTaken(GlanceMiniError):
    """The broker has not confirmed an event; it may be sent again."""

    code = "notification.not_taken"
    template = "The broker did not accept event {event}: {reason}"


def open_confirmed(conf: cfg.ConfigOpts) -> Send:
    """Return a function, for one thread, that sends an event once to all configured drivers; it raises NotTaken.

    Drivers without a transport, such as ``log``, are assumed to succeed.
    """
    transport = open_transport(conf)
    failures = _watch(transport)
    notify = make_notify(conf, transport, retry=0)
    # The drivers log each failure with the payload and a traceback; the caller logs it in one line.
    logging.getLogger("oslo_messaging.notify.messaging").setLevel(logging.CRITICAL)

    def send(event: Event) -> None:
        failures.clear()
        notify(event)
        if failures:
            raise NotTaken(event=event.type, reason=f"{type(failures[0]).__name__}: {failures[0]}") from failures[0]

    return send


def _watch(transport: "NotificationTransport") -> list[Exception]:
    """Return a list that from now on collects the errors that ``transport`` raises when it sends."""
    failures: list[Exception] = []
    send = transport._send_notification

    def watched(*arguments: object, **named: object) -> None:
        try:
            send(*arguments, **named)
        except Exception as error:
            failures.append(error)
            raise

    transport._send_notification = watched
    return failures
