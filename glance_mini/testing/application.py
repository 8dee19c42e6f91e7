"""The whole application in a test: real layers, SQLite and stores in memory, callers with tokens."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import fixtures
from oslo_config import cfg

from glance_mini import conf as configuration
from glance_mini.background import Part
from glance_mini.bootstrap import compose, open_services, open_stack
from glance_mini.conf.validation import validate
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.event import Event
from glance_mini.event_stream.hub import EventHub
from glance_mini.notifications.publishing import PublishingAccess
from glance_mini.operations.outbox import FinishEvents, TakeEvents
from glance_mini.standalone.users import User, Users, change_users
from glance_mini.testing.tables import make_tables

CALLERS: Mapping[str, tuple[str, str]] = {
    "admin": ("p0", "admin"),
    "member": ("p1", "member"),
    "member2": ("p1", "member"),
    "reader": ("p1", "reader"),
    "other": ("p2", "member"),
    "p3": ("p3", "member"),
    "service": ("p9", "service"),
}
"""Project and role of each caller; the caller's name is the user and, for ``token``, the flavour's token."""

Options = Mapping[str, Mapping[str, object]]

_DEFAULTS: Options = {
    "DEFAULT": {"enabled_backends": "fast:memory,cheap:memory,web:http"},
    "glance_store": {"default_backend": "fast"},
    "database": {"connection": "sqlite://"},
    "paste_deploy": {"flavor": "token"},
}


class ApplicationFixture(fixtures.Fixture):
    """Builds the application and takes it down.

    ``options`` are values by group and name over the defaults, which are two stores in memory, one of web locations,
    and SQLite in memory; None takes an option away. ``policy`` is the text of a policy file. ``listens`` False: nothing
    takes events, as in the default configuration. The fixture offers ``app`` (WSGI), ``conf``, ``services``, ``stack``,
    ``hub`` (the streams of events), and ``folder``, a directory of its own. Reaper and leases do not run by themselves.
    """

    def __init__(self, options: Options | None = None, policy: str = "", *, listens: bool = True) -> None:
        super().__init__()
        self._options = options or {}
        self._policy = policy
        self._listens = listens
        self._events: list[Event] = []

    def _setUp(self) -> None:
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = self._load_conf()
        undo = ExitStack()
        self.addCleanup(undo.close)
        self.services = open_services(self.conf, undo, send=self._events.append if self._listens else None)
        self._make_tables()
        self.services.publisher.start()
        self.stack = open_stack(self.conf, self.services, undo)
        parts: list[Part] = []
        self.app = compose(self.conf, self.services, self.stack, parts)
        # The threads of the streams start by themselves.
        self.hub = next(part for part in parts if isinstance(part, EventHub))
        undo.callback(self.hub.close)

    def _make_tables(self) -> None:
        make_tables(self.backend.engine)

    @property
    def backend(self) -> SqlDataAccess:
        """Return the data access on the database, without publishing around it."""
        data = self.services.data
        backend = data.access if isinstance(data, PublishingAccess) else data
        assert isinstance(backend, SqlDataAccess)
        return backend

    def events(self) -> list[Event]:
        """Return the events published so far, or stored with ``delivery = outbox``, and stop publishing."""
        self.services.publisher.close()
        stored = self.services.data.run(TakeEvents("test", timedelta(hours=1), 10_000))
        self.services.data.run(FinishEvents(tuple(event.id for event in stored if event.id is not None)))
        self._events.extend(stored)
        return list(self._events)

    def context(self, caller: str) -> Context:
        """Return the context of one of ``CALLERS``, for calls of the stack without HTTP."""
        project, role = CALLERS[caller]
        roles = User(caller, {project: (role,)}).roles(project)
        return Context(user_id=caller, project_id=project, roles=roles, is_admin=role == "admin", request_id="req-test")

    def _load_conf(self) -> cfg.ConfigOpts:
        change_users(self.folder / "users.json", _add_callers)
        policy = self.folder / "policy.yaml"
        policy.write_text(self._policy)
        files: Options = {
            "DEFAULT": {"node_staging_uri": f"file://{self.folder}/staging"},
            "authentication": {"users_file": self.folder / "users.json"},
            "oslo_policy": {"policy_file": policy},
        }
        path = self.folder / "glance-mini.conf"
        path.write_text(_as_text(_merge(_DEFAULTS, files, self._options)))
        conf = configuration.load(files=[path])
        validate(conf)
        return conf


def _add_callers(users: Users) -> Users:
    for name, (project, role) in CALLERS.items():
        users = users.add(User(name).with_role(project, (role,)).with_token(name, project))
    return users


def _merge(*layers: Options) -> dict[str, dict[str, object]]:
    merged: dict[str, dict[str, object]] = {}
    for layer in layers:
        for group, values in layer.items():
            merged.setdefault(group, {}).update(values)
    return merged


def _as_text(options: Options) -> str:
    lines: list[str] = []
    for group, values in options.items():
        lines.append(f"[{group}]")
        lines += [f"{name} = {value}" for name, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"
