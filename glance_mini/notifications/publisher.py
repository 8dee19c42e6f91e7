"""Sends events to the broker: one thread with oslo.messaging empties a bounded queue in memory.

A request never uses the transport, because ``notify`` blocks for seconds when a broker does not answer. A full queue
drops events and counts them. oslo.messaging is imported only if a driver is configured.
"""

import logging
import queue
import threading
from collections.abc import Callable, Collection
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics

if TYPE_CHECKING:
    from oslo_messaging.transport import NotificationTransport

LOG = logging.getLogger(__name__)

_FOREVER = 2**31 - 1
"""Attempts to deliver one event. oslo.messaging's own "forever" (-1) loses events if the broker is down at start."""


Send = Callable[[Event], None]


class EventPublisher(Protocol):
    """Takes events from any thread and delivers them to the broker."""

    def start(self) -> None:
        """Start to send. Call it once, and after a fork."""
        ...

    def publish(self, event: Event) -> None:
        """Accept ``event`` unless it is disabled; never waits for the broker and never raises."""
        ...

    def close(self) -> None:
        """Stop; events that were not sent yet are sent within a short time or dropped."""
        ...


class Publisher:
    """Takes events from any thread and sends them in their order in one thread."""

    def __init__(self, send: Send | None, metrics: Metrics, queue_size: int, disabled: frozenset[str]) -> None:
        """Store the arguments; ``disabled`` holds event types or groups to leave out.

        If ``send`` is None, events are dropped and not counted.
        """
        self._send = send
        self._metrics = metrics
        self._disabled = disabled
        self._queue: queue.Queue[Event | None] = queue.Queue(queue_size)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, metrics: Metrics, send: Send | None = None) -> "Publisher":
        """Return the publisher that ``[oslo_messaging_notifications]`` and ``[notifications]`` configure.

        ``send`` receives the events instead of the broker.
        """
        if send is None and configured_drivers(conf):
            send = _make_send(conf)
        disabled = frozenset(conf.disabled_notifications)
        return cls(send, metrics, conf.notifications.queue_size, disabled)

    def start(self) -> None:
        """Start to send. Call it once, and after a fork."""
        if self._send:
            self._thread.start()

    def publish(self, event: Event) -> None:
        """Queue ``event``; never blocks and never raises."""
        if self._send is None or is_disabled(event.type, self._disabled):
            return
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._metrics.events.labels("dropped").inc()
            LOG.warning("Event %s was dropped: %d events wait for the broker.", event.type, self._queue.qsize())

    def close(self, timeout: float = 2.0) -> None:
        """Send the queued events for at most ``timeout`` seconds, and stop."""
        if self._thread.is_alive():
            try:
                self._queue.put(None, timeout=timeout)
            except queue.Full:
                return
            self._thread.join(timeout)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            self._deliver(event)

    def _deliver(self, event: Event) -> None:
        assert self._send is not None
        try:
            self._send(event)
        except Exception:
            self._metrics.events.labels("failed").inc()
            LOG.exception("Event %s could not be sent.", event.type)
        else:
            self._metrics.events.labels("sent").inc()


def is_disabled(event_type: str, disabled: Collection[str]) -> bool:
    """Return whether ``disabled`` contains the type of an event or its group, the part before the first dot."""
    return event_type in disabled or event_type.split(".")[0] in disabled


def configured_drivers(conf: cfg.ConfigOpts) -> list[str]:
    """Return the notification drivers that the configuration files name, without importing oslo.messaging.

    Raises ConfigurationError for one that is not installed.
    """
    probe = cfg.ConfigOpts()
    probe.register_opt(cfg.MultiStrOpt("driver", default=[]), group="oslo_messaging_notifications")
    files, directories = conf.config_file or [], conf.config_dir or []
    probe([], project="glance-mini", default_config_files=files, default_config_dirs=directories)
    names = [driver for driver in probe.oslo_messaging_notifications.driver if driver not in ("", "noop")]
    if not names:
        return []
    # This reads what all packages offer.
    installed = entry_points(group="oslo.messaging.notify.drivers").names
    if missing := sorted({*names} - installed):
        reason = f"[oslo_messaging_notifications] driver: there is no {missing[0]}, only {', '.join(sorted(installed))}"
        raise ConfigurationError(reason=reason)
    return names


def open_transport(conf: cfg.ConfigOpts) -> "NotificationTransport":
    """Return oslo.messaging's transport for notifications; it does not connect yet. Raises ConfigurationError."""
    import oslo_messaging

    oslo_messaging.set_transport_defaults(control_exchange="glance")
    try:
        return oslo_messaging.get_notification_transport(conf)
    except oslo_messaging.MessagingException as error:
        reason = f"The broker of [oslo_messaging_notifications] cannot be used; check transport_url: {error}"
        raise ConfigurationError(reason=reason) from error


def make_notify(conf: cfg.ConfigOpts, transport: "NotificationTransport", retry: int) -> Send:
    """Return a function that gives an event to the configured drivers; it waits for them and raises nothing."""
    import oslo_messaging

    notifier = oslo_messaging.Notifier(transport, publisher_id=conf.default_publisher_id, retry=retry)

    def send(event: Event) -> None:
        notify = getattr(notifier, event.priority)
        notify(dict(event.caller), event.type, dict(event.payload))

    return send


def _make_send(conf: cfg.ConfigOpts) -> Send:
    transport = open_transport(conf)
    retry = conf.oslo_messaging_notifications.retry
    return make_notify(conf, transport, _FOREVER if retry == -1 else retry)
