"""The health of what a process depends on, checked regularly, each part in a thread of its own.

A check that hangs, for example on a dead mount, holds one thread: no second one begins before it has ended.
"""

import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from glance_mini.background import Background
from glance_mini.db.interface import DataAccess
from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import GlanceMiniError, Unavailable
from glance_mini.operations.jobs import MeasureQueue
from glance_mini.operations.records import Ping
from glance_mini_store.errors import StoreError
from glance_mini_store.store import Store

LOG = logging.getLogger(__name__)

INTERVAL, TIMEOUT = 30.0, 10.0
"""Seconds between two rounds of checks, and after which a check without an answer has failed."""

LONGEST_WAIT = 120
"""Seconds that a job may wait while no job runs, before workers are missing."""

_BROKER_PORTS = {"rabbit": 5672, "amqp": 5672, "kombu": 5672}
_CONNECT_SECONDS = 3.0

Details = Mapping[str, object]
Check = Callable[[], Details]
"""Returns what is known about a part of the service; raises any error if the part cannot be used. It may hang."""

OnResult = Callable[[str, bool], object]


class Health:
    """Runs checks in rounds and reports the last results; ``on_result`` gets each name and whether it is usable.

    ``find_checks`` returns the checks of a round by name. ``start`` runs the rounds in a thread; ``look`` is one round.
    ``interval`` and ``timeout`` are in seconds.
    """

    def __init__(
        self,
        find_checks: Callable[[], Mapping[str, Check]],
        on_result: OnResult,
        interval: float = INTERVAL,
        timeout: float = TIMEOUT,
    ) -> None:
        self._find_checks = find_checks
        self._parts = {name: _Part(name) for name in find_checks()}
        self._on_result = on_result
        self._timeout = timeout
        self._checked_at: str | None = None
        self._background = Background("health", self.look, lambda: interval, "The health could not be checked")

    def start(self) -> None:
        """Start the thread. Call it once, and after a fork."""
        self._background.start()

    def close(self) -> None:
        """Stop without waiting for a check that hangs."""
        self._background.close(0)

    def look(self) -> None:
        """Check all parts at once; returns after the time-out at the latest."""
        checks = self._find_checks()
        parts = self._parts = {name: self._parts.get(name) or _Part(name) for name in checks}
        for name, part in parts.items():
            part.begin(checks[name])
        deadline = time.monotonic() + self._timeout
        for name, part in parts.items():
            self._on_result(name, part.end(deadline))
        self._checked_at = utcnow().isoformat(timespec="seconds") + "Z"

    def report(self) -> dict[str, object]:
        """Return ``status`` (ok, failing, or unknown before the first round), ``checked_at``, and each part by name."""
        parts = {name: part.state for name, part in self._parts.items()}
        is_failing = any(state["status"] == "failing" for state in parts.values())
        status = "unknown" if self._checked_at is None else "failing" if is_failing else "ok"
        return {"status": status, "checked_at": self._checked_at, "parts": parts}


class _Part:
    def __init__(self, name: str) -> None:
        self.state: Details = {"status": "unknown"}
        self._name = name
        self._result: Details = self.state
        self._thread: threading.Thread | None = None

    def begin(self, check: Check) -> None:
        """Start ``check`` unless the one before it has not ended."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, args=(check,), name=f"check {self._name}", daemon=True)
            self._thread.start()

    def end(self, deadline: float) -> bool:
        """Wait for the result until ``deadline`` and return whether the part is usable; a change is logged."""
        assert self._thread is not None
        self._thread.join(max(0.0, deadline - time.monotonic()))
        before, is_hanging = self.state, self._thread.is_alive()
        self.state = {"status": "failing", "reason": "It does not answer."} if is_hanging else self._result
        if self.state["status"] == "failing" != before["status"]:
            LOG.error("The health check of %s fails: %s", self._name, self.state["reason"])
        elif before["status"] == "failing" != self.state["status"]:
            LOG.warning("The health check of %s succeeds again.", self._name)
        return self.state["status"] == "ok"

    def _run(self, check: Check) -> None:
        try:
            self._result = {"status": "ok", **check()}
        except Exception as error:
            is_known = isinstance(error, (GlanceMiniError, StoreError, OSError))
            if not is_known:
                LOG.exception("The health check of %s met an unexpected error.", self._name)
            self._result = {"status": "failing", "reason": str(error) if is_known else type(error).__name__}


def check_store(store: Store) -> Details:
    """Return the free bytes of ``store`` if they are known; raises what ``Store.probe`` raises."""
    free = store.probe()
    return {} if free is None else {"free_bytes": free}


def check_disk(directory: Path) -> Details:
    """Return the free bytes of the file system of ``directory``; raises OSError."""
    return {"free_bytes": shutil.disk_usage(directory).free}


def check_database(data: DataAccess) -> Details:
    """Return nothing; raises Unavailable if the database does not answer."""
    data.run(Ping())
    return {}


def check_queue(data: DataAccess) -> Details:
    """Return the figures of ``MeasureQueue``; raises Unavailable if jobs wait and no worker takes them."""
    figures = data.run(MeasureQueue())
    if figures["waiting_seconds"] > LONGEST_WAIT and not figures["running"]:
        reason = f"No worker runs jobs; the oldest of {figures['waiting']} has waited {figures['waiting_seconds']} s."
        raise Unavailable(reason=reason)
    return figures


def check_broker(url: str) -> Details:
    """Connect to a host of ``url``, a transport URL of oslo.messaging; raises OSError if none of them answers."""
    parts = urlsplit(url)
    port = _BROKER_PORTS.get(parts.scheme.partition("+")[0])
    if port is None:
        return {}
    hosts = [urlsplit(f"//{host.rpartition('@')[2]}") for host in parts.netloc.split(",")]
    errors = []
    for host in hosts:
        try:
            socket.create_connection((host.hostname or "localhost", host.port or port), _CONNECT_SECONDS).close()
        except OSError as error:
            errors.append(f"{host.hostname}:{host.port or port}: {error}")
        else:
            return {}
    raise OSError("; ".join(errors))
