"""Wakes idle workers for a new job. Nothing depends on it: a worker that is not woken polls after an interval.

The processes of ``glance-mini serve`` use a pipe, workers on other machines the broker (``messaging``).
"""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Protocol

from oslo_config import cfg


class Waker(Protocol):
    """Wakes workers from a process that adds jobs; starts at the first wake."""

    def wake(self) -> None:
        """Wake the workers, after a job was added; never blocks and never raises."""
        ...

    def close(self) -> None:
        """Stop; wakes that were not sent yet are dropped."""
        ...


class Listener(Protocol):
    """Receives the wakes in a worker."""

    def start(self) -> None:
        """Start to listen; called once, and after a fork. Does not wait for a broker."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Wakeup:
    """Ends the sleeps of any number of sleepers early."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.count = 0

    def wake(self) -> None:
        """End the current sleep of each sleeper or, if it does not sleep, its next one."""
        with self.changed:
            self.count += 1
            self.changed.notify_all()


class Sleeper:
    """Sleeps until it is woken; for one thread at a time."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self._seen = wakeup.count

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, or at once if ``wake`` was called since the last sleep."""
        with self._wakeup.changed:
            self._wakeup.changed.wait_for(lambda: self._wakeup.count != self._seen, seconds)
            self._seen = self._wakeup.count


class Silence:
    """Waker and listener for workers that only poll."""

    def start(self) -> None:
        """Do nothing."""

    def wake(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class PipeWaker(Silence):
    """Wakes through the write end of a pipe, a non-blocking descriptor that belongs to the caller."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wake(self) -> None:
        """Write a byte. A full pipe has wakes already; without a reader, workers poll."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, b".")


class PipeListener(Silence):
    """Listens on the read end of a pipe, a descriptor of the caller, until the process ends."""

    def __init__(self, descriptor: int, wake: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._wake = wake
        self._thread = threading.Thread(target=self._run, name="wakeup", daemon=True)

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()

    def _run(self) -> None:
        while os.read(self._descriptor, 4096):
            self._wake()


def open_waker(conf: cfg.ConfigOpts, pipe: int | None = None) -> Waker:
    """Return the waker of a process: through the broker if one is configured, else ``pipe``, else none."""
    if has_broker(conf):
        from glance_mini.workers.messaging import MessagingWaker

        return MessagingWaker(conf)
    return Silence() if pipe is None else PipeWaker(pipe)


def open_listener(conf: cfg.ConfigOpts, wake: Callable[[], None], pipe: int | None = None) -> Listener:
    """Return the listener of a worker, the counterpart of ``open_waker``; a thread calls ``wake``."""
    if has_broker(conf):
        from glance_mini.workers.messaging import MessagingListener

        return MessagingListener(conf, wake)
    return Silence() if pipe is None else PipeListener(pipe, wake)


def open_cache_waker(conf: cfg.ConfigOpts) -> Waker:
    """Return what tells the caches of all nodes of a change, through the broker if one is configured."""
    if transport_url(conf) is None:
        return Silence()
    from glance_mini.workers.messaging import CACHES_TOPIC, MessagingWaker

    return MessagingWaker(conf, CACHES_TOPIC)


def open_cache_listener(conf: cfg.ConfigOpts, wake: Callable[[], None]) -> Listener:
    """Return the counterpart of ``open_cache_waker`` in a process with a cache; a thread calls ``wake``."""
    if transport_url(conf) is None:
        return Silence()
    from glance_mini.workers.messaging import CACHES_TOPIC, MessagingListener

    return MessagingListener(conf, wake, CACHES_TOPIC)


def has_broker(conf: cfg.ConfigOpts) -> bool:
    """Return whether the broker wakes workers: set by ``[workers] wakeup``, else true if a broker is configured."""
    if conf.workers.wakeup:
        return bool(conf.workers.wakeup == "messaging")
    return transport_url(conf) is not None


def transport_url(conf: cfg.ConfigOpts) -> str | None:
    """Return the URL of the broker that the configuration files name, without importing oslo.messaging."""
    # The option belongs to oslo.messaging, which is not imported if no broker is configured.
    probe = cfg.ConfigOpts()
    probe.register_opt(cfg.StrOpt("transport_url", secret=True))
    files, directories = conf.config_file or [], conf.config_dir or []
    probe([], project="glance-mini", default_config_files=files, default_config_dirs=directories)
    url: str | None = probe.transport_url
    return url or None
