"""The answers of the registry to a single request, right or wrong."""

import io
import threading
from datetime import datetime, timedelta

import msgspec
import testtools

from glance_mini.db import wire
from glance_mini.db.remote import PATH
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event
from glance_mini.domain.job import Job, JobQuery
from glance_mini.operations.images import CreateImage
from glance_mini.operations.jobs import AddJob, ClaimJob, GetJob
from glance_mini.operations.once import RunOnce
from glance_mini.operations.outbox import CountEvents
from glance_mini.operations.records import CountUsage, LoadImage, Ping
from glance_mini.operations.tasks import ListTasks
from glance_mini.registry.application import CERTIFICATE, EventSwitch, RegistryApplication
from glance_mini.registry.metrics import RegistryMetrics
from glance_mini.registry.roles import Nodes, read_roles
from glance_mini.testing.tables import make_tables

LIMIT = 4096
IMAGE = CreateImage(base={"owner": "mine"})


def certificate(name="api1", *roles):
    """Return a verified certificate, in the form of the ssl module."""
    units = [(("organizationalUnitName", role),) for role in roles]
    return {"subject": (*units, (("commonName", name),))}


API = certificate("api1", "api")


class ApplicationTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        engine = make_engine("sqlite://")
        make_tables(engine)
        self.events = EventSwitch(lambda call, result, cause: [Event(call.name, {})])
        self.data = SqlDataAccess(engine, event_rules=self.events)
        self.addCleanup(self.data.close)
        self.metrics = RegistryMetrics()
        self.application = RegistryApplication(self.data, Nodes({}), self.metrics, self.events, LIMIT)

    def send(self, path, body=b"", method="POST", peer=API, **environ):
        """Return status and body of the answer."""
        found = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            CERTIFICATE: lambda: peer,
            **environ,
        }
        answer = []
        [text] = self.application(found, lambda status, headers: answer.append((status, dict(headers))))
        [(status, headers)] = answer
        self.assertEqual(str(len(text)), headers["Content-Length"])
        return int(status[:3]), text

    def call(self, call, peer=API, cause=None, **values):
        """Return status and body of the answer to ``call``."""
        name = call.call.name if isinstance(call, RunOnce) else call.name
        return self.send(PATH + name, wire.encode_request(call, cause, **values), peer=peer)

    def test_a_call_is_answered_with_its_result(self):
        status, body = self.call(IMAGE)
        image = wire.decode(body, wire.result_type(IMAGE))
        self.assertEqual((200, "mine"), (status, image.owner))
        self.assertEqual(image, wire.decode(self.call(LoadImage(image.id))[1], wire.result_type(IMAGE)))

    def test_an_error_of_the_call_is_an_answer_too(self):
        status, body = self.call(LoadImage("none"))
        error = wire.decode_error(body)
        self.assertEqual((422, errors.NotFound, "No image found with ID none"), (status, type(error), str(error)))

    def test_events_are_stored_where_the_node_asks_for_it(self):
        self.call(IMAGE)
        self.assertEqual(0, self.data.run(CountEvents()))
        self.call(CreateImage(), stores_events=True)
        self.assertEqual(1, self.data.run(CountEvents()))
        self.call(CreateImage())
        self.assertEqual(1, self.data.run(CountEvents()))

    def test_a_key_belongs_to_a_node_and_a_call(self):
        call = RunOnce("key", CreateImage())
        first, again = self.call(call), self.call(call)
        self.assertEqual(first, again)
        other = self.call(RunOnce("key", CreateImage()), peer=certificate("api2", "api"))
        self.assertNotEqual(first, other)
        self.assertEqual(200, other[0])

    def test_a_refused_role_is_logged_with_node_and_call(self):
        with self.assertLogs("glance_mini.registry", "WARNING") as logged:
            status, body = self.call(ClaimJob("p", ("import",), timedelta(0)), peer=API)
        self.assertEqual(403, status)
        text = "a node with the roles api may not send the call claim_job"
        self.assertIn(text, body.decode())
        self.assertIn(f"The call claim_job of node 'api1' was refused: {text}", logged.output[0])

    def test_a_refused_call_is_not_read(self):
        status, _ = self.send(PATH + "create_image", b"{", peer=certificate("reader", "readonly"))
        self.assertEqual(403, status)

    def test_without_a_certificate_nothing_is_answered(self):
        self.assertEqual(403, self.call(Ping(), peer={})[0])

    def test_an_unknown_call_says_which_side_is_older(self):
        status, body = self.send(PATH + "fold_image", b"{}")
        self.assertEqual(404, status)
        self.assertIn("does not know the call 'fold_image': it is older than the node", body.decode())

    def test_neighbouring_versions_work_together_and_others_do_not(self):
        for version, expected in ((0, 200), (wire.VERSION, 200), (wire.VERSION + 1, 200), (wire.VERSION + 2, 409)):
            request = wire.Request("ping", msgspec.Raw(b"{}"), version=version)
            self.assertEqual(expected, self.send(PATH + "ping", wire.encode(request))[0], version)

    def test_wrong_requests_are_refused_with_a_reason(self):
        ping = wire.encode_request(Ping(), None)
        for path, body, environ, status in (
            ("ping", b"", {}, 400),
            ("ping", b"\xff", {}, 400),
            ("ping", b"[]", {}, 400),
            ("ping", b'{"call":"ping"}', {}, 400),
            ("ping", wire.encode_request(CountEvents(), None), {}, 400),
            ("ping", ping, {"CONTENT_LENGTH": ""}, 411),
            ("ping", ping, {"CONTENT_LENGTH": "-1"}, 411),
            ("ping", ping, {"CONTENT_LENGTH": "²"}, 411),
            ("ping", b" " * (LIMIT + 1), {}, 413),
            ("ping", ping, {"REQUEST_METHOD": "GET"}, 405),
            ("load_image", b'{"call":"load_image","values":{"image_id":5}}', {}, 400),
            ("load_image", b'{"call":"load_image","values":{}}', {}, 400),
            ("load_image", b'{"call":"load_image","values":{"image_id":"x","until":"now"}}', {}, 400),
            ("create_image", b'{"call":"create_image","values":{},"key":""}', {}, 400),
            ("create_image", b'{"call":"create_image","values":{},"key":"%s"}' % (b"k" * 65), {}, 400),
        ):
            answered, text = self.send(PATH + path, body, **environ)
            self.assertEqual(status, answered, (body[:60], environ, text))
            self.assertNotEqual(b"", text)

    def test_a_node_cannot_set_the_time(self):
        self.assertEqual(400, self.call(CountUsage("mine"), now=datetime(2030, 1, 1))[0])

    def test_an_error_that_is_none_of_the_service_stays_in_the_log(self):
        self.application = RegistryApplication(Broken(), Nodes({}), self.metrics)
        with self.assertLogs("glance_mini.registry", "ERROR") as logged:
            status, body = self.call(Ping())
        self.assertEqual(500, status)
        self.assertNotIn("secret", body.decode())
        self.assertIn("ZeroDivisionError", logged.output[0])

    def test_the_health_page_asks_the_database(self):
        self.assertEqual((200, b"OK\n"), self.send("/healthcheck", method="GET"))
        self.application = RegistryApplication(Gone(), Nodes({}), self.metrics)
        self.assertEqual(503, self.send("/healthcheck", method="GET")[0])

    def test_other_paths_are_not_there(self):
        self.assertEqual(404, self.send("/v2/images", method="GET")[0])

    def test_calls_are_counted_by_name_and_outcome(self):
        self.call(IMAGE, cause=Cause("create_image"))
        self.call(LoadImage("none"))
        self.send(PATH + "fold_image", b"{}")
        text = self.send("/metrics", method="GET")[1].decode()
        for line in (
            'glance_mini_registry_calls_total{call="create_image",outcome="done"} 1.0',
            'glance_mini_registry_calls_total{call="load_image",outcome="raised"} 1.0',
            'glance_mini_registry_calls_total{call="unknown",outcome="refused"} 1.0',
            'glance_mini_registry_call_seconds_count{call="create_image"} 1.0',
        ):
            self.assertIn(line, text)


class Broken:
    """A data access with an error of its own."""

    def run(self, call, now=None, cause=None):
        """Fail."""
        raise ZeroDivisionError("secret")


class Gone:
    """A data access without its database."""

    def run(self, call, now=None, cause=None):
        """Be unavailable."""
        raise errors.Unavailable(reason="gone")

    def test_a_node_that_only_reads_gets_no_tokens_of_users(self):
        wanted = Job("one", "import", project_id="mine", token="secret", input={"a": (1, 2)})
        self.data.run(AddJob(wanted))
        for roles, token in ((("readonly",), None), (("readonly", "worker"), "secret"), (("worker",), "secret")):
            for call in (GetJob("one"), ListTasks(JobQuery())):
                status, body = self.call(call, certificate("node", *roles))
                found = wire.decode(body, wire.result_type(call))
                job = found if isinstance(call, GetJob) else found.jobs[0]
                self.assertEqual((200, token, "mine"), (status, job.token, job.project_id))

    def test_a_registry_without_its_database_lets_nodes_go_to_another_one(self):
        self.application = RegistryApplication(Lost(), Nodes({}), self.metrics, self.events, LIMIT)
        status, text = self.call(IMAGE)
        self.assertEqual((503, b"lost\n"), (status, text))

    def test_roles_of_nodes_are_read_again(self):
        self.assertEqual(200, self.call(IMAGE)[0])
        roles = [{"api1": frozenset()}]
        self.application.roles_from(lambda: read_roles(["nonsense"]) if roles[0] is None else roles[0])
        self._read_again()
        self.assertEqual(403, self.call(IMAGE)[0])
        roles[0] = None
        self._read_again()
        self.assertEqual(403, self.call(IMAGE)[0])
        roles[0] = {}
        self._read_again()
        self.assertEqual(200, self.call(IMAGE)[0])

    def _read_again(self):
        """Let the application read the roles, and wait for it."""
        self.application.read_again()
        for thread in threading.enumerate():
            if thread.name == "roles":
                thread.join()


class Lost:
    """A database that does not answer."""

    def run(self, call, now=None, cause=None):
        raise errors.DatabaseUnavailable(reason="lost")
