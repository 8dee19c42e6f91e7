"""Opens the data access of a process together with what publishes the events of its changes.

Commands need no more of the service than this, so it stands apart from the parts that serve.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from oslo_config import cfg

from glance_mini.db.factory import open_data_access
from glance_mini.db.interface import DataAccess
from glance_mini.metrics import Metrics
from glance_mini.notifications.outbox import OutboxPublisher, stored_events
from glance_mini.notifications.publisher import EventPublisher, Publisher, Send, configured_drivers
from glance_mini.notifications.publishing import PublishingAccess


@contextmanager
def open_data(conf: cfg.ConfigOpts) -> Iterator[DataAccess]:
    """Yield the data access for a command, which publishes the events of its changes; it is closed at the end."""
    with ExitStack() as undo:
        data, publisher = open_data_and_publisher(conf, Metrics(), undo)
        publisher.start()
        yield data


def open_data_and_publisher(
    conf: cfg.ConfigOpts, metrics: Metrics, undo: ExitStack, send: Send | None = None
) -> tuple[DataAccess, EventPublisher]:
    """Return the data access, which publishes the events of changes, and the publisher for all other events.

    ``undo`` closes both; ``send`` takes the events instead of the broker, for tests. Raises ConfigurationError.
    """
    disabled = frozenset(conf.disabled_notifications)
    has_listeners = send is not None or bool(configured_drivers(conf))
    if conf.notifications.delivery == "outbox" and has_listeners:
        stored = open_data_access(conf, stored_events(disabled))
        undo.callback(stored.close)
        return stored, OutboxPublisher(stored, metrics, disabled)
    data = open_data_access(conf)
    undo.callback(data.close)
    publisher = Publisher.from_config(conf, metrics, send)
    undo.callback(publisher.close)
    return PublishingAccess(data, publisher) if has_listeners else data, publisher
