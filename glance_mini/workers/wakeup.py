"""Tells idle workers that there is a new job. Nothing depends on it: who is not woken looks after a poll interval.

Within the processes of ``glance-mini serve`` a pipe does it, between machines the broker (``messaging``).
"""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Protocol

from oslo_config import cfg


class Waker(Protocol):
    """What a process has that adds jobs; begins to work at the first wake."""

    def wake(self) -> None:
        """Wake the workers, after a job was added; never blocks and never raises."""
        ...

    def close(self) -> None:
        """Stop; what was not sent yet is dropped."""
        ...


class Listener(Protocol):
    """What a worker has: wakes it when a waker says so."""

    def start(self) -> None:
        """Begin to listen; once, and after a fork. Does not wait for a broker."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Wakeup:
    """A sleep that anybody can cut short."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> None:
        """End the sleep of today or, where nobody sleeps, the next one."""
        self._event.set()

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, or when somebody wakes us."""
        if self._event.wait(seconds):
            self._event.clear()


class Silence:
    """Waker and listener where workers only poll."""

    def start(self) -> None:
        """Do nothing."""

    def wake(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class PipeWaker(Silence):
    """Wakes through the writing end of a pipe, a descriptor that does not block and stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wake(self) -> None:
        """Write a byte; a full pipe wakes as well, and so does a poll where nobody reads."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, b".")


class PipeListener(Silence):
    """Listens at the reading end of a pipe, a descriptor that stays the caller's, until the process ends."""

    def __init__(self, descriptor: int, wake: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._wake = wake
        self._thread = threading.Thread(target=self._run, name="wakeup", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def _run(self) -> None:
        while os.read(self._descriptor, 4096):
            self._wake()


def open_waker(conf: cfg.ConfigOpts, pipe: int | None = None) -> Waker:
    """Return how a process wakes workers: by the broker where one is configured, else by ``pipe``, else not at all."""
    if has_broker(conf):
        from glance_mini.workers.messaging import MessagingWaker

        return MessagingWaker(conf)
    return Silence() if pipe is None else PipeWaker(pipe)


def open_listener(conf: cfg.ConfigOpts, wake: Callable[[], None], pipe: int | None = None) -> Listener:
    """Return how a worker is woken, the counterpart of ``open_waker``; ``wake`` is called from a thread."""
    if has_broker(conf):
        from glance_mini.workers.messaging import MessagingListener

        return MessagingListener(conf, wake)
    return Silence() if pipe is None else PipeListener(pipe, wake)


def has_broker(conf: cfg.ConfigOpts) -> bool:
    """Tell whether workers are woken by the broker: as ``[workers] wakeup`` says, else where a broker is named."""
    if conf.workers.wakeup:
        return bool(conf.workers.wakeup == "messaging")
    # The option is oslo.messaging's own, which is not imported where no broker is configured.
    probe = cfg.ConfigOpts()
    probe.register_opt(cfg.StrOpt("transport_url", secret=True))
    probe([], project="glance-mini", default_config_files=conf.config_file or [], default_config_dirs=[])
    return bool(probe.transport_url)
