"""A registry for tests on the real server: ``GET /empty`` gives it an empty database. Arguments: port, certificates."""

import sys
from pathlib import Path
from urllib.parse import parse_qs

from glance_mini.cmd.serve.server import ServerSettings, run
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.notifications.outbox import stored_events
from glance_mini.registry.application import EventSwitch, RegistryApplication
from glance_mini.registry.metrics import RegistryMetrics
from glance_mini.registry.roles import Nodes
from glance_mini.testing.data_access.outbox import rules
from glance_mini.testing.tables import make_tables


class Emptied:
    """Hands each request to a registry, which ``/empty`` replaces."""

    def __init__(self):
        self._metrics = RegistryMetrics()
        self._engine = None

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/empty":
            self._empty(**{name: value for name, (value,) in parse_qs(environ["QUERY_STRING"]).items()})
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        return self._registry(environ, start_response)

    def _empty(self, rules, connection):
        if self._engine is not None:
            self._engine.dispose()
        self._engine = make_engine(connection)
        if schema.version(self._engine) is None:
            make_tables(self._engine)
        switch = EventSwitch(RULES[rules])
        data = SqlDataAccess(self._engine, event_rules=switch)
        self._registry = RegistryApplication(data, Nodes({}), self._metrics, switch, accepts_times=True)


def _fail(call, result, cause):
    raise ZeroDivisionError


RULES = {"failing": _fail, "service": stored_events(frozenset()), "contract": rules}


def main(port, folder):
    """Serve until stopped."""
    tls = Path(folder)
    settings = ServerSettings(
        bind=(f"127.0.0.1:{port}",),
        workers=1,
        threads=32,
        keepalive=75,
        streamed="(?!)",
        small_body=64 * 1024**2,
        waiting_bytes=256 * 1024**2,
        tls_certificate=str(tls / "registry.pem"),
        tls_key=str(tls / "registry-key.pem"),
        tls_client_ca=str(tls / "ca.pem"),
    )
    return run(settings, Emptied, on_ready=lambda: print("ready", flush=True))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
