"""Each call has callers that agree with who sends it, and a certificate gives its node roles."""

import re
from functools import cache
from pathlib import Path

import testtools

from glance_mini.domain.errors import ConfigurationError
from glance_mini.operations import DATA_CALLS
from glance_mini.operations.base import API, MIGRATE, WORKER, DataCall, Role
from glance_mini.operations.images import CreateImage
from glance_mini.operations.jobs import ClaimJob
from glance_mini.operations.migration import TakeOverImages
from glance_mini.operations.records import LoadImage
from glance_mini.registry.roles import Node, Nodes, read_roles

SERVICE = Path(__file__).resolve().parents[3] / "glance_mini"

SENDERS = {
    "api": API,
    "layers": API | WORKER,
    "cache": API | WORKER,
    "maintenance": API | WORKER,
    "notifications": API | WORKER,
    "maintenance/expiry": WORKER,
    "notifications/dispatcher": WORKER,
    "workers": WORKER,
    "jobs": WORKER,
    "imports": WORKER,
    "verification": WORKER,
    "cmd": MIGRATE,
    "migration": MIGRATE,
    "registry": MIGRATE,
}
"""The roles of the processes in which each part of the service runs; a longer name is part of a shorter one.

The registry itself has no role; what it sends is what an operator could send."""


@cache
def sources() -> dict[str, str]:
    """Return the text of each module that may send a call, by its path without the suffix."""
    found = {str(path.relative_to(SERVICE).with_suffix("")): path.read_text() for path in SERVICE.rglob("*.py")}
    return {name: text for name, text in found.items() if roles_of(name) is not None}


def roles_of(module: str) -> frozenset[Role] | None:
    """Return the roles of the processes in which a module runs; None for one that sends no call of its own."""
    fitting = [part for part in SENDERS if module == part or module.startswith(f"{part}/")]
    return SENDERS[max(fitting, key=len)] if fitting else None


def senders(call: type[DataCall[object]]) -> frozenset[Role]:
    """Return the roles of all processes in which something makes a ``call``."""
    made = re.compile(rf"\b{call.__name__}\(")
    return frozenset().union(*(roles_of(name) for name, text in sources().items() if made.search(text)))


class TestCallers(testtools.TestCase):
    def test_each_write_may_be_sent_by_those_who_send_it_and_by_no_others(self):
        # API nodes and workers have the same layers, so a call of one may come to be sent by the other.
        shared = API | WORKER
        wrong = [
            (call.__name__, sorted(call.callers), sorted(found))
            for call in DATA_CALLS
            if call.writes
            for found in [senders(call)]
            if call.callers != found and not (call.callers == shared and found <= shared and Role.API in found)
        ]
        self.assertEqual([], wrong)

    def test_every_read_may_be_sent_by_every_role(self):
        self.assertEqual([], [call for call in DATA_CALLS if not call.writes and call.callers != frozenset(Role)])

    def test_no_write_may_be_sent_by_a_readonly_node(self):
        self.assertEqual([], [call for call in DATA_CALLS if call.writes and Role.READONLY in call.callers])


class TestNodes(testtools.TestCase):
    def certificate(self, *pairs):
        return {"subject": tuple((pair,) for pair in pairs)}

    def test_a_certificate_names_the_node_and_its_roles(self):
        units = [("organizationalUnitName", name) for name in ("api", "worker", "staff")]
        node = Nodes({}).node(self.certificate(*units, ("commonName", "node1")))
        self.assertEqual(Node("node1", frozenset({Role.API, Role.WORKER})), node)

    def test_a_certificate_without_roles_may_send_nothing(self):
        node = Nodes({}).node(self.certificate(("commonName", "node1")))
        self.assertEqual([], [call for call in DATA_CALLS if node.may_send(call)])
        self.assertEqual(Node("", frozenset()), Nodes({}).node({}))

    def test_roles_in_the_configuration_replace_those_of_the_certificate(self):
        nodes = Nodes(read_roles(["node1: readonly", "stolen:"]))
        api = ("organizationalUnitName", "api")
        self.assertEqual({Role.READONLY}, nodes.node(self.certificate(api, ("commonName", "node1"))).roles)
        self.assertEqual(frozenset(), nodes.node(self.certificate(api, ("commonName", "stolen"))).roles)
        self.assertEqual({Role.API}, nodes.node(self.certificate(api, ("commonName", "node2"))).roles)

    def test_what_each_role_may_send(self):
        expected = {
            Role.API: (True, True, False, False),
            Role.WORKER: (True, True, True, False),
            Role.READONLY: (True, False, False, False),
            Role.MIGRATE: (True, False, False, True),
        }
        calls = (LoadImage, CreateImage, ClaimJob, TakeOverImages)
        for role, allowed in expected.items():
            node = Node("n", frozenset({role}))
            self.assertEqual(allowed, tuple(map(node.may_send, calls)), role)

    def test_wrong_lines_are_named(self):
        for line, reason in (
            ("node1", "'node1' is not 'node: roles'"),
            (": api", "': api' is not 'node: roles'"),
            ("node1: root", "'root' is not a valid Role; there are api, worker, readonly, migrate"),
        ):
            self.assertIn(reason, str(self.assertRaises(ConfigurationError, read_roles, [line])))
        error = self.assertRaises(ConfigurationError, read_roles, ["n: api", "n: worker"])
        self.assertIn("names a node twice", str(error))
