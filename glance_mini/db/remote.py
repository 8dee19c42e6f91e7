"""The data access backend ``registry``: each call goes to a registry service over HTTPS with client certificates.

Whatever is sent may be sent again: reads and repeatable writes as they are, all other writes with a key by which a
registry recognises them (``RunOnce``). So a call survives a registry that is killed, hangs or is replaced, as long as
one of the list answers in time.
"""

import itertools
import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from oslo_config import cfg

from glance_mini.db import wire
from glance_mini.db.connections import Connections, NotReached, Reply
from glance_mini.db.interface import Backend, EventRules, no_events
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import ConfigurationError, Invalid, Unavailable
from glance_mini.operations.base import DataCall
from glance_mini.operations.once import RunOnce
from glance_mini.tls import FollowedContext, client_context

LOG = logging.getLogger(__name__)

R = TypeVar("R")

PATH = "/v1/calls/"
"""What a registry answers at: the name of the call follows."""

RAISED = 422
"""The status of the answer to a call that raised an error; its body is a ``wire.Failure``."""

_BUSY = (502, 503, 504)
_LONGEST_PAUSE = 0.5


@dataclass(frozen=True, kw_only=True)
class RegistrySettings:
    """Where the registries are, what this node shows them, and how long it waits; times in seconds.

    The fields are the options of [registry], with ``max_answer`` in bytes.
    """

    endpoints: tuple[str, ...]
    certificate: str
    key: str
    ca_file: str
    timeout: float = 30
    attempt_timeout: float = 4
    connect_timeout: float = 2
    reach_timeout: float = 10
    retry_after: float = 5
    max_connections: int = 64
    max_answer: int = 256 * 1024**2

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the settings that ``conf`` has; raises ConfigurationError, which names all that is wrong."""
        options = conf.registry
        problems = [f"[registry] {name} is not set" for name in ("certificate", "key", "ca_file") if not options[name]]
        if not options.endpoints:
            problems.append("[registry] endpoints names no registry")
        problems += filter(None, map(_fault_of_endpoint, options.endpoints))
        if problems:
            raise ConfigurationError(reason="; ".join(problems))
        return cls(
            endpoints=tuple(options.endpoints),
            certificate=options.certificate,
            key=options.key,
            ca_file=options.ca_file,
            timeout=options.timeout,
            attempt_timeout=options.attempt_timeout,
            connect_timeout=options.connect_timeout,
            reach_timeout=options.reach_timeout,
            retry_after=options.retry_after,
            max_connections=options.max_connections,
            max_answer=options.max_answer_mib * 1024**2,
        )


class RegistryAccess(Backend):
    """Sends calls to the registries of ``settings``; ``stores_events``: they store the events of changes. Thread-safe.

    It connects at the first call. Raises ConfigurationError if the certificates cannot be used.
    """

    name = "registry"

    def __init__(self, settings: RegistrySettings, stores_events: bool = False) -> None:
        self._settings = settings
        self._stores_events = stores_events
        try:
            context = FollowedContext(
                lambda: client_context(settings.ca_file, settings.certificate, settings.key),
                (settings.ca_file, settings.certificate, settings.key),
            )
        except OSError as error:
            raise ConfigurationError(reason=f"[registry] certificate, key and ca_file: {error}") from error
        self._registries = [_Registry(url, settings, context) for url in settings.endpoints]

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Self:
        """Return the access through the registries of ``conf``, which have the rules for events themselves."""
        return cls(RegistrySettings.from_config(conf), stores_events=event_rules is not no_events)

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        sent = call if call.may_repeat else RunOnce(uuid4().hex, call)
        name = sent.call.name if isinstance(sent, RunOnce) else sent.name
        url, answer = self._ask(PATH + name, wire.encode_request(sent, cause, self._stores_events, now))
        if answer.status == RAISED:
            raise wire.decode_error(answer.body)
        if answer.status != 200:
            raise _refusal(url, name, answer)
        try:
            result: R = wire.decode(answer.body, wire.result_type(call))
        except Invalid as error:
            LOG.error("The answer of registry %s to %s cannot be read: %s", url, name, error)
            raise Unavailable(reason="The registry is of a release that this service cannot work with.") from error
        return result

    def close(self) -> None:
        """Close all connections."""
        for registry in self._registries:
            registry.close()

    def _ask(self, path: str, body: bytes) -> tuple[str, Reply]:
        """Return the first registry that answers, and its answer; raises Unavailable."""
        began = time.monotonic()
        deadline, is_reached = began + self._settings.timeout, False
        for turn in itertools.count():
            seconds = self._settings.attempt_timeout * 2**turn
            for registry in self._in_order():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                try:
                    answer = registry.send(path, body, min(seconds, left))
                except OSError as error:
                    is_reached = is_reached or not isinstance(error, NotReached)
                    registry.avoid(error)
                    continue
                if answer.status not in _BUSY:
                    return registry.url, answer
                registry.avoid(f"status {answer.status}")
            end = deadline if is_reached else min(deadline, began + self._settings.reach_timeout)
            if time.monotonic() >= end:
                break
            time.sleep(min(_LONGEST_PAUSE, 0.05 * 2**turn) * random.uniform(0.5, 1))
        raise Unavailable(reason="The registry does not answer now; the request may be repeated later.")

    def _in_order(self) -> "Iterator[_Registry]":
        """Yield the registries, those last that did not answer a short while ago."""
        now = time.monotonic()
        yield from sorted(self._registries, key=lambda registry: registry.avoided_until > now)


class _Registry:
    """One registry and the connections to it."""

    def __init__(self, url: str, settings: RegistrySettings, context: FollowedContext) -> None:
        self.avoided_until = 0.0
        self.url = url
        self._settings = settings
        self._context = context
        self._replacing = threading.Lock()
        self._connections: Connections | None = None

    def send(self, path: str, body: bytes, seconds: float) -> Reply:
        """Return the answer to a request; raises OSError, also after ``seconds``."""
        if self.avoided_until:
            # Others do not wait for what this call is about to find out.
            self.avoided_until = time.monotonic() + self._settings.retry_after
        settings, deadline = self._settings, time.monotonic() + seconds
        reply = self._current().post(path, body, deadline, settings.connect_timeout, settings.max_answer)
        if self.avoided_until:
            self.avoided_until = 0.0
            LOG.info("Registry %s answers again.", self.url)
        return reply

    def avoid(self, problem: object) -> None:
        """Note that the registry did not answer."""
        if not self.avoided_until:
            LOG.warning("Registry %s does not answer: %s", self.url, problem)
        self.avoided_until = time.monotonic() + self._settings.retry_after

    def close(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            self._connections.close()

    def _current(self) -> Connections:
        """Return the connections with the certificates as they are now."""
        context, found = self._context.current(), self._connections
        if found is not None and found.context is context:
            return found
        with self._replacing:
            if self._connections is None or self._connections.context is not context:
                self.close()
                address = urlsplit(self.url)
                host, port = str(address.hostname), address.port or 443
                self._connections = Connections(host, port, context, self._settings.max_connections)
            return self._connections


def _refusal(url: str, name: str, answer: Reply) -> Unavailable:
    text = answer.body[:1000].decode(errors="replace").strip()
    LOG.error("Registry %s refuses the call %s with status %d: %s", url, name, answer.status, text)
    return Unavailable(reason=f"The registry refuses the call {name} of this service.")


def _fault_of_endpoint(url: str) -> str | None:
    try:
        address = urlsplit(url)
        is_usable = address.scheme == "https" and address.hostname and address.port and address.path in ("", "/")
    except ValueError:
        is_usable = False
    return None if is_usable else f"[registry] endpoints: '{url}' is not https://host:port"


__all__ = ["RegistryAccess", "RegistrySettings"]
