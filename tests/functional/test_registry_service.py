"""``glance-mini-registry serve`` and its nodes: who is let in, what is refused, and errors at start."""

import signal
import subprocess
import sys
from pathlib import Path

import fixtures
import requests
import testtools

from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.operations.images import CreateImage
from glance_mini.operations.records import CountUsage, Ping, SetProjectLimits
from glance_mini.testing.tables import make_tables
from tests.functional.faults import make_state, start_service, use_for_class
from tests.functional.registry import (
    EVERY,
    MIGRATOR,
    NODE,
    READER,
    REVOKED,
    Registry,
    access,
    certificates,
    node_options,
    server_options,
    write_revocations,
)
from tests.functional.service import START_SECONDS
from tests.http_server.running import eventually


class RegistryServiceTest(testtools.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = use_for_class(cls, fixtures.TempDir()).path
        connection = f"sqlite:///{folder}/registry.db"
        engine = make_engine(connection)
        make_tables(engine)
        engine.dispose()
        cls.revocations = Path(folder, "revoked.pem")
        write_revocations(cls.revocations)
        options = {"node_roles": f"{READER}: readonly", "client_crl": cls.revocations}
        cls.registry = use_for_class(cls, Registry(connection, registry_service=options))

    def access(self, node, **settings):
        data = access(self.registry.port, node=node, **settings)
        self.addCleanup(data.close)
        return data

    def run_program(self, module, *words):
        command = [sys.executable, "-m", f"glance_mini.cmd.{module}", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * START_SECONDS, check=False)

    def test_a_node_may_do_what_its_role_allows_and_no_more(self):
        self.access(NODE).run(CreateImage())
        self.access(READER).run(CountUsage())
        self.access(MIGRATOR).run(SetProjectLimits("p1", {"image_count_total": 5}))
        for node, call in (
            (NODE, SetProjectLimits("p1", {})),
            (READER, CreateImage()),
            (MIGRATOR, CreateImage()),
        ):
            error = self.assertRaises(errors.Unavailable, self.access(node).run, call)
            self.assertEqual(f"The registry refuses the call {call.name} of this service.", str(error))
            self.assertIn(f"The call {call.name} of node '{node}' was refused", self.registry.log.read_text())

    def test_a_node_that_is_connected_is_shut_out_by_a_signal(self):
        data, call = self.access(EVERY), CountUsage()
        data.run(call)
        path = self.registry.folder / "registry.conf"
        before = path.read_text()
        self.addCleanup(self.registry.process.send_signal, signal.SIGHUP)
        self.addCleanup(path.write_text, before)
        path.write_text(before + f"[registry_service]\nnode_roles = {EVERY}:\n")
        self.registry.process.send_signal(signal.SIGHUP)
        eventually(lambda: "roles of nodes were read again" in self.registry.log.read_text(), "the roles were read")
        error = self.assertRaises(errors.Unavailable, data.run, call)
        self.assertIn("refuses the call", str(error))
        self.access(NODE).run(call)

    def test_a_node_whose_certificate_is_revoked_is_refused_from_then_on_also_if_it_is_connected(self):
        data, other, call = self.access(REVOKED, timeout=1), self.access(NODE), CountUsage()
        for each in (data, other):
            each.run(call)
        write_revocations(self.revocations, REVOKED)
        self.registry.process.send_signal(signal.SIGHUP)
        eventually(lambda: "The certificates were read again" in self.registry.log.read_text(), "the list was read")
        for each in (data, self.access(REVOKED, timeout=1)):
            self.assertRaises(errors.Unavailable, each.run, call)
        other.run(call)

    def test_nobody_is_let_in_without_a_certificate(self):
        url, ca = f"https://localhost:{self.registry.port}/healthcheck", str(certificates() / "ca.pem")
        self.assertRaises(requests.exceptions.ConnectionError, requests.get, url, verify=ca, timeout=30)
        self.assertEqual("OK\n", self.registry.get("/healthcheck").text)

    def test_metrics_are_those_of_all_calls(self):
        self.access(NODE).run(Ping())
        self.assertIn(
            'glance_mini_registry_calls_total{call="ping",outcome="done"}', self.registry.get("/metrics").text
        )

    def test_the_upgrade_check_of_a_node_asks_the_registry(self):
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        for port, expected in ((self.registry.port, 0), (1, 2)):
            state = make_state(folder / str(port), node_options(port, reach_timeout=0))
            done = self.run_program("status", "--config-file", state / "glance-mini.conf", "upgrade", "check")
            self.assertEqual(expected == 2, "does not answer" in done.stdout, done.stdout + done.stderr)

    def test_commands_of_a_node_change_what_its_certificate_allows(self):
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        for node, code in ((MIGRATOR, 0), (NODE, 1)):
            state = make_state(folder / node, node_options(self.registry.port, node=node))
            words = ("quota", "set", "--project", "lab", "image_count_total=7", "--state", state)
            done = self.run_program("manage", *words)
            self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        self.assertIn("refuses the call set_project_limits", done.stderr)

    def test_events_are_stored_with_the_change_for_a_node_that_wants_it(self):
        options = {"notifications": {"delivery": "outbox"}, "oslo_messaging_notifications": {"driver": "log"}}
        service = start_service(self, node_options(self.registry.port), options)
        image = service.create_image()
        eventually(lambda: image in service.log.read_text(), "the event of the image is published")
        self.assertIn("image.create", service.log.read_text())

    def test_errors_at_start_are_one_line(self):
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        good = server_options()
        for database, options, text in (
            ({}, {}, "[registry_service] certificate is not set"),
            ({"connection": "sqlite://"}, {**good, "bind": "here"}, "[registry_service] bind: 'here' is not host:port"),
            ({"connection": f"sqlite:///{folder}/new.db"}, good, "The database has no tables yet"),
            ({"connection": "sqlite://"}, {**good, "node_roles": "x"}, "node_roles: 'x' is not 'node: roles'"),
            ({"data_access": "registry"}, good, "a registry needs the database itself"),
        ):
            path = folder / "registry.conf"
            groups = {"database": database, "registry_service": options}
            path.write_text(
                "".join(
                    f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
                    for group, values in groups.items()
                )
            )
            done = self.run_program("registry", "serve", "--config-file", path)
            self.assertNotEqual(0, done.returncode)
            self.assertIn(text, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
