"""The application as it is composed: flavours, the paste file, figures, and what is started and ended."""

import threading
from pathlib import Path
from typing import Any

import fixtures
import testtools
from webob import Request

from glance_mini import conf as configuration
from glance_mini.api.openapi import openapi_document
from glance_mini.api.routes import ROUTES
from glance_mini.api.v2.schema import all_schemas
from glance_mini.api.v2.schemas.images import image_schema
from glance_mini.bootstrap import compose, load_application
from glance_mini.domain.errors import ConfigurationError, Unavailable
from glance_mini.domain.query import Page
from glance_mini.layers.stack import Stack
from glance_mini.operations.images import CreateImage
from glance_mini.testing.application import ApplicationFixture
from glance_mini.testing.recorder import Recorder
from tests.http_server.running import eventually

SETTINGS = """
[glance_store]
stores = memory
default_store = memory
[database]
connection = sqlite://
[paste_deploy]
flavor = {flavor}
{more}
"""


class TestLoading(testtools.TestCase):
    def _conf(self, flavor: str = "none", more: str = "") -> Any:
        path = Path(self.useFixture(fixtures.TempDir()).path) / "glance-mini.conf"
        path.write_text(SETTINGS.format(flavor=flavor, more=more))
        return configuration.load(files=[path])

    def test_an_application_starts_its_threads_and_ends_them(self) -> None:
        self.useFixture(fixtures.FakeLogger())
        before = set(threading.enumerate())
        app = load_application(self._conf())
        started = set(threading.enumerate()) - before
        self.assertEqual(200, Request.blank("/healthcheck").get_response(app).status_int)
        app.close()
        self.assertTrue(started)
        # A thread that is about to start is listed, but cannot be joined.
        eventually(lambda: not started & set(threading.enumerate()), "its threads have ended")

    def test_an_unknown_flavour_stops_the_start(self) -> None:
        error = self.assertRaises(ConfigurationError, load_application, self._conf("magic"))
        self.assertIn("magic", str(error))

    def test_a_paste_file_of_the_operator_is_used(self) -> None:
        path = Path(self.useFixture(fixtures.TempDir()).path) / "paste.ini"
        path.write_text(
            "[pipeline:bare]\npipeline = none api\n"
            "[filter:none]\npaste.filter_factory = glance_mini.api.middleware.none:filter_factory\n"
            "[app:api]\nuse = egg:glance_mini#api\n"
        )
        self.useFixture(fixtures.FakeLogger())
        app = load_application(self._conf("bare", f"config_file = {path}"))
        self.addCleanup(app.close)
        self.assertEqual(200, Request.blank("/v2/info/import").get_response(app).status_int)
        self.assertEqual(404, Request.blank("/healthcheck").get_response(app).status_int)

    def test_a_missing_paste_file_stops_the_start(self) -> None:
        conf = self._conf("none", "config_file = /nowhere/paste.ini")
        self.assertIn("/nowhere/paste.ini", str(self.assertRaises(ConfigurationError, load_application, conf)))

    def test_two_applications_in_one_process_know_nothing_of_each_other(self) -> None:
        first, second = (self.useFixture(ApplicationFixture()) for _ in range(2))
        image = first.stack.call(first.context("member"), CreateImage())
        request = Request.blank(f"/v2/images/{image.id}", headers={"X-Auth-Token": "member"})
        self.assertEqual(200, request.get_response(first.app).status_int)
        self.assertEqual(404, request.copy().get_response(second.app).status_int)


class TestFigures(testtools.TestCase):
    def test_requests_are_counted_by_operation_and_status(self) -> None:
        service = self.useFixture(ApplicationFixture())
        for path in ("/v2/images", "/v2/images/none", "/v2/nothing"):
            Request.blank(path, headers={"X-Auth-Token": "member"}).get_response(service.app)
        text = service.services.metrics.export().decode()
        self.assertIn('glance_mini_requests_total{operation="list_images",status="200"} 1.0', text)
        self.assertIn('glance_mini_requests_total{operation="get_image",status="404"} 1.0', text)
        self.assertIn('glance_mini_requests_total{operation="unknown",status="404"} 1.0', text)


class TestFailures(testtools.TestCase):
    def _ask(self, failure: Exception) -> Any:
        """Return the answer to a list where a layer raises ``failure``."""

        def fail(*_: object) -> None:
            raise failure

        self.log = self.useFixture(fixtures.FakeLogger())
        service = self.useFixture(ApplicationFixture())
        stack = Stack([Recorder({"list_images": fail})])
        app = compose(service.conf, service.services, stack, [])
        return Request.blank("/v2/images", headers={"X-Auth-Token": "member"}).get_response(app)

    def test_a_database_that_is_gone_is_503(self) -> None:
        answer = self._ask(Unavailable(reason="The database does not answer."))
        self.assertEqual(503, answer.status_int)
        self.assertIn("The database does not answer.", answer.text)

    def test_an_error_of_ours_is_500_without_details(self) -> None:
        answer = self._ask(RuntimeError("hunter2"))
        self.assertEqual(500, answer.status_int)
        self.assertNotIn("hunter2", answer.text)
        self.assertIn("Traceback", self.log.output)


class TestBigLists(testtools.TestCase):
    def test_no_more_long_pages_are_made_at_once_than_configured(self) -> None:
        running: list[int] = []
        most: list[int] = []
        full = threading.Barrier(2, timeout=30)

        def list_images(*_: object) -> Page:
            running.append(1)
            most.append(len(running))
            full.wait()
            running.pop()
            return Page(())

        service = self.useFixture(ApplicationFixture({"server": {"max_lists_in_flight": 2}}))
        app = compose(service.conf, service.services, Stack([Recorder({"list_images": list_images})]), [])
        request = Request.blank("/v2/images?limit=101", headers={"X-Auth-Token": "member"})
        threads = [threading.Thread(target=lambda: request.copy().get_response(app)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual((6, 2), (len(most), max(most)))


def document_of_all() -> Any:
    return openapi_document(all_schemas(image_schema(["bare"], ["raw"], {})), serves_identity=True)


class TestOpenApi(testtools.TestCase):
    def test_a_service_without_a_log_in_describes_none(self) -> None:
        document = openapi_document(all_schemas(image_schema(["bare"], ["raw"], {})), serves_identity=False)
        self.assertEqual([], [path for path in document["paths"] if path.startswith(("/v3", "/identity"))])

    def test_every_route_and_method_is_described_under_its_own_name(self) -> None:
        document = document_of_all()
        names = [
            document["paths"][route.path][method.lower()]["operationId"] for route in ROUTES for method in route.actions
        ]
        self.assertEqual(len(names), len(set(names)))

    def test_what_the_service_sets_is_no_part_of_a_new_image(self) -> None:
        document = document_of_all()
        new = document["components"]["schemas"]["NewImage"]["properties"]
        self.assertIn("name", new)
        self.assertNotIn("status", new)
