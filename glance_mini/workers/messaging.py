"""Wakes workers on other machines by a fanout cast of oslo.messaging; no other module of the workers imports it.

If the broker is down, workers only wait for the poll interval: a thread sends the casts and drops those that fail, and
the listener's thread waits for the broker. Casts are not kept for workers that are not connected.
"""

import logging
import socket
import threading
import uuid
from collections.abc import Callable, Mapping

import oslo_messaging
from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError

LOG = logging.getLogger(__name__)

EXCHANGE = "glance"
TOPIC = "glance-mini-workers"
CACHES_TOPIC = "glance-mini-caches"
"""The casts that tell the nodes with a cache of a deleted or deactivated image."""

METHOD = "wake"

_UNREGISTERED = {"oslo_messaging_tracing": "tracing_enabled", "oslo_messaging_metrics": "metrics_enabled"}
"""Options that an RPC client reads but oslo.messaging registers only with the process-wide configuration."""


class MessagingWaker:
    """Sends one cast for all wakes since the last cast."""

    def __init__(self, conf: cfg.ConfigOpts, topic: str = TOPIC) -> None:
        """Connect to nothing yet."""
        target = oslo_messaging.Target(exchange=EXCHANGE, topic=topic, fanout=True)
        self._client = oslo_messaging.get_rpc_client(_transport(conf), target).prepare(retry=0)
        self._wanted = threading.Event()
        self._is_stopping = False
        self._is_failing = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def wake(self) -> None:
        """Let the thread send a cast; never blocks and never raises."""
        self._wanted.set()
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop without waiting for the broker."""
        self._is_stopping = True
        self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait() and not self._is_stopping:
            self._wanted.clear()
            self._cast()

    def _cast(self) -> None:
        try:
            self._client.cast({}, METHOD)
        except Exception as error:
            if not self._is_failing:
                LOG.warning("Other processes cannot be woken; they find changes by polling: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False


class MessagingListener:
    """Calls ``wake`` for each cast that arrives; ``listening`` is set when it is connected."""

    def __init__(self, conf: cfg.ConfigOpts, wake: Callable[[], None], topic: str = TOPIC) -> None:
        """Connect to nothing yet."""
        server = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        target = oslo_messaging.Target(exchange=EXCHANGE, topic=topic, server=server)
        self._server = oslo_messaging.get_rpc_server(_transport(conf), target, [_Endpoint(wake)], executor="threading")
        self.listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="wakeup", daemon=True)

    def start(self) -> None:
        """Start to listen as soon as the broker can be reached; called once, and after a fork."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening without waiting for a broker that is down."""
        if self.listening.is_set():
            self._server.stop()

    def _listen(self) -> None:
        try:
            self._server.start()
        except Exception as error:
            LOG.warning("This worker cannot be woken; it finds new jobs by polling: %s", error)
        else:
            self.listening.set()


class _Endpoint:
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def wake(self, context: Mapping[str, object]) -> None:
        self._wake()


def _transport(conf: cfg.ConfigOpts) -> oslo_messaging.Transport:
    for group, name in _UNREGISTERED.items():
        conf.register_opt(cfg.BoolOpt(name, default=False), group=group)
        conf.set_override(name, False, group=group)
    try:
        return oslo_messaging.get_rpc_transport(conf)
    except oslo_messaging.MessagingException as error:
        reason = f"The broker that wakes workers cannot be used; check [DEFAULT] transport_url: {error}"
        raise ConfigurationError(reason=reason) from error
