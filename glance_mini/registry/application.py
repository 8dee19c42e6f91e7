"""The WSGI application of the registry: one function answers all calls; there is no list of them here.

``POST /v1/calls/{name}`` has a ``wire.Request`` as its body. Answers: 200 with the result, 422 with the error that the
call raised (``wire.Failure``); 400, 403, 404, 409, 411 and 413 with a text that says why the call was not done.
``GET /healthcheck`` and ``GET /metrics`` are for any node.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from hashlib import blake2b
from typing import TypeVar
from wsgiref.types import StartResponse, WSGIEnvironment

from oslo_config import cfg

from glance_mini.db import wire
from glance_mini.db.interface import DataAccess, EventRules, no_events
from glance_mini.db.remote import PATH, RAISED
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import ConfigurationError, DatabaseUnavailable, GlanceMiniError, Invalid, Unavailable
from glance_mini.domain.event import Event
from glance_mini.operations.base import DataCall
from glance_mini.operations.once import MAX_KEY, RunOnce
from glance_mini.operations.records import Ping
from glance_mini.registry.metrics import RegistryMetrics
from glance_mini.registry.roles import NOBODY, Node, Nodes, Roles
from glance_mini.registry.secrets import without_secrets

LOG = logging.getLogger(__name__)

R = TypeVar("R")

CERTIFICATE = "glance_mini.peer_certificate"
"""The key in the environment of the function that returns the verified certificate of the sender."""

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_PHRASES = {
    200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    411: "Length Required", 413: "Content Too Large", 422: "Unprocessable Content", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip


class EventSwitch:
    """Event rules for a registry: ``rules`` apply to the calls of nodes that want stored events, and to no others."""

    def __init__(self, rules: EventRules) -> None:
        self._rules = rules
        self._is_on: ContextVar[bool] = ContextVar("stores_events", default=False)

    def __call__(self, call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
        """Return the events of ``call``; a backend asks in the thread that runs the call."""
        return self._rules(call, result, cause) if self._is_on.get() else ()

    def set(self, is_on: bool) -> None:
        """Decide for the calls of this thread from now on."""
        self._is_on.set(is_on)


class Refused(Exception):
    """The registry does not do the call; ``status`` and the text say why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class RegistryApplication:
    """Answers calls from ``data``. ``events`` are the rules that ``data`` has.

    ``max_call`` is the longest body in bytes. Only tests let callers set the time (``accepts_times``).
    """

    def __init__(
        self,
        data: DataAccess,
        nodes: Nodes,
        metrics: RegistryMetrics,
        events: EventSwitch | None = None,
        max_call: int = 32 * 1024**2,
        accepts_times: bool = False,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        self._data = data
        self._nodes = nodes
        self._metrics = metrics
        self._events = events or EventSwitch(no_events)
        self._max_call = max_call
        self._accepts_times = accepts_times
        self._on_close = on_close
        self._read_roles: Callable[[], Roles] | None = None

    def roles_from(self, read: Callable[[], Roles]) -> None:
        """Let ``read_again`` take the roles of single nodes from ``read``."""
        self._read_roles = read

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        kind = _JSON
        try:
            path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
            if path.startswith(PATH):
                if method != "POST":
                    raise Refused(405, f"{method} is not allowed here")
                status, body = self._answer(environ, path.removeprefix(PATH))
            else:
                kind = _TEXT
                status, body = self._page(path)
        except Refused as refusal:
            kind, status, body = _TEXT, refusal.status, f"{refusal}\n".encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(f"{status} {_PHRASES[status]}", headers)
        return [body]

    def read_again(self) -> None:
        """Read the roles of single nodes again, in a thread: the server calls this in the handler of a signal."""
        threading.Thread(target=self._replace_roles, name="roles", daemon=True).start()

    def _replace_roles(self) -> None:
        if self._read_roles is None:
            return
        try:
            self._nodes.replace(self._read_roles())
        except (ConfigurationError, cfg.Error) as error:
            LOG.error("The roles of nodes stay as they were: %s", error)
        else:
            LOG.info("The roles of nodes were read again.")

    def close(self) -> None:
        """Release what the application uses; call it once, at shutdown."""
        self._on_close()

    def _answer(self, environ: WSGIEnvironment, name: str) -> tuple[int, bytes]:
        """Return status and body of the answer to a call; raises Refused."""
        began = time.monotonic()
        # Names that nobody knows would make a metric each.
        label, outcome, node = name if name in wire.CALLS else "unknown", "refused", NOBODY
        try:
            node = self._nodes.node(_certificate(environ))
            self._check_role(node, name)
            request = _read(environ, self._max_call)
            status, body, outcome = self._run(node, name, request)
        except Refused as refusal:
            LOG.warning("The call %s of node %r was refused: %s", label, node.name, refusal)
            raise
        finally:
            self._metrics.calls.labels(label, outcome).inc()
            self._metrics.call_seconds.labels(label).observe(time.monotonic() - began)
        return status, body

    def _check_role(self, node: Node, name: str) -> None:
        kind = wire.CALLS.get(name)
        if kind is None:
            raise Refused(404, f"this registry does not know the call {name[:64]!r}: it is older than the node")
        if not node.may_send(kind):
            roles = ", ".join(sorted(node.roles)) or "none"
            raise Refused(403, f"a node with the roles {roles} may not send the call {name}")

    def _run(self, node: Node, name: str, request: wire.Request) -> tuple[int, bytes, str]:
        if request.call != name:
            raise Refused(400, f"the call is {name} in the path and {request.call} in the body")
        if abs(request.version - wire.VERSION) > 1:
            raise Refused(409, f"node {node.name} speaks version {request.version}, this registry {wire.VERSION}")
        if request.now is not None and not self._accepts_times:
            raise Refused(400, "the time is that of the database")
        try:
            call = wire.decode_call(request)
        except GlanceMiniError as error:
            raise Refused(400, f"{name}: {error}") from error
        if isinstance(call, RunOnce):
            call = RunOnce(_own_key(node, name, call.key), call.call)
        self._events.set(request.stores_events)
        try:
            result = self._data.run(call, request.now, request.cause)
            return 200, wire.encode(result if node.sees_secrets else without_secrets(result)), "done"
        except DatabaseUnavailable as error:
            # The node goes to another registry, or repeats the call: nothing is done twice.
            return 503, f"{error}\n".encode(), "unavailable"
        except GlanceMiniError as error:
            outcome = "unavailable" if isinstance(error, Unavailable) else "raised"
            return RAISED, wire.encode_error(error), outcome
        except Exception:
            LOG.exception("The call %s of node %s failed.", name, node.name)
            return 500, b"the registry failed; its log says why\n", "failed"

    def _page(self, path: str) -> tuple[int, bytes]:
        if path == "/metrics":
            return 200, self._metrics.export()
        if path != "/healthcheck":
            raise Refused(404, "there is nothing at this path")
        try:
            self._data.run(Ping())
        except GlanceMiniError as error:
            raise Refused(503, str(error)) from error
        return 200, b"OK\n"


def _certificate(environ: WSGIEnvironment) -> dict[str, object]:
    read = environ.get(CERTIFICATE)
    certificate: dict[str, object] = read() if read else {}
    if not certificate:
        raise Refused(403, "a call needs a certificate")
    return certificate


def _read(environ: WSGIEnvironment, limit: int) -> wire.Request:
    """Return the request in the body; raises Refused."""
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isascii() or not length.isdigit():
        raise Refused(411, "a call needs a Content-Length")
    if int(length) > limit:
        raise Refused(413, f"the call has {length} bytes; [registry_service] max_call_mib allows {limit}")
    try:
        request = wire.decode(environ["wsgi.input"].read(int(length)), wire.Request)
    except (OSError, Invalid) as error:
        raise Refused(400, f"the body cannot be read: {error}") from error
    if request.key is not None and not (0 < len(request.key) <= MAX_KEY and request.key.isascii()):
        raise Refused(400, f"a key has 1 to {MAX_KEY} ASCII characters")
    return request


def _own_key(node: Node, name: str, key: str) -> str:
    """Return the key under which a call is recorded: nodes cannot meet each other's calls."""
    return blake2b(f"{node.name}\0{name}\0{key}".encode(), digest_size=32).hexdigest()
