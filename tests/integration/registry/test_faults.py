"""Registries that are killed, hang, or are replaced, in the middle of uploads and imports: the service goes on."""

import itertools
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import fixtures
import testtools
from testtools.content import text_content

from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.registry.authority import Authority
from glance_mini.testing.tables import make_tables
from tests.functional.faults import MIB, begin_upload, start_service, status_of
from tests.functional.importing import DIRECT, begin_import, end_of_import, stage
from tests.functional.registry import NODE, REGISTRY, ROLES, Registry, certificates, node_options, wait_for
from tests.ports import free_port

WITHIN = 5.0
"""Seconds in which the service must go on."""

UPLOAD = 8 * MIB

LEASES = {"transfers": {"lease_seconds": 20, "reaper_interval": 1}}
"""Longer than a registry may be silent, or a transfer would be taken for abandoned."""


class RegistryFaultTest(testtools.TestCase):
    registries = 1

    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        connection = f"sqlite:///{self.folder}/registry.db"
        engine = make_engine(connection)
        make_tables(engine)
        engine.dispose()
        self.started = [self.useFixture(self.make(connection)) for _ in range(self.registries)]
        self.registry = self.started[0]
        self.service = self.serve()
        self.addOnException(lambda _: self.addDetail("registry", text_content(self.registry.log.read_text())))

    def make(self, connection):
        """Return a registry on the database of the test."""
        return Registry(connection)

    def serve(self):
        """Return a service that reaches its data through the registries."""
        ports = [registry.port for registry in self.started]
        return start_service(self, node_options(*ports), LEASES)

    def begin_upload(self):
        """Return an image, and a connection that has sent half of its data."""
        image = self.service.create_image()
        client = begin_upload(self, self.service, image, f"Content-Length: {UPLOAD}")
        client.send(b"x" * (UPLOAD // 2))
        wait_for(lambda: status_of(self.service, image) == "saving", "the upload begins")
        return image, client

    def end_upload(self, image, client):
        """Send the rest and check that the image is whole."""
        client.send(b"x" * (UPLOAD // 2))
        self.assertEqual(204, client.response().status)
        answer = self.service.request("GET", f"/v2/images/{image}/file")
        self.assertEqual((200, UPLOAD), (answer.status_code, len(answer.content)))

    def assert_goes_on(self, image):
        """A request that is sent now is answered soon."""
        began = time.monotonic()
        self.assertEqual(200, self.service.request("GET", f"/v2/images/{image}").status_code)
        self.assertLess(time.monotonic() - began, WITHIN)


class OneRegistryTest(RegistryFaultTest):
    def test_upload_survives_a_registry_that_is_killed_and_started_again(self):
        image, client = self.begin_upload()
        self.registry.stop(signal.SIGKILL)
        ended = threading.Thread(target=self.end_upload, args=(image, client))
        ended.start()
        time.sleep(1)
        self.registry.start()
        self.assert_goes_on(image)
        ended.join(30)
        self.assertEqual("active", status_of(self.service, image))

    def test_import_survives_a_registry_that_is_killed_and_started_again(self):
        image = self.service.create_image()
        self.assertEqual(204, stage(self.service, image, b"x" * UPLOAD).status_code)
        begin_import(self.service, image, DIRECT)
        self.registry.stop(signal.SIGKILL)
        self.registry.start()
        self.assert_goes_on(image)
        found, task = end_of_import(self.service, image)
        self.assertEqual(("active", "success"), (found["status"], task["status"]))

    def test_a_request_without_any_registry_is_answered_with_503(self):
        image = self.service.create_image()
        self.registry.stop(signal.SIGKILL)
        # A call that a registry took before it died is repeated for [registry] timeout.
        answer = self.service.request("GET", f"/v2/images/{image}", timeout=60)
        self.assertEqual(503, answer.status_code)
        self.assertNotIn(str(self.registry.port), answer.text)
        self.registry.start()
        self.assert_goes_on(image)

    def test_a_registry_that_hangs_for_a_while_does_each_write_once(self):
        before = self.service.create_image()
        self.registry.stop(signal.SIGSTOP)
        threading.Timer(5.0, self.registry.stop, (signal.SIGCONT,)).start()
        answer = self.service.request("POST", "/v2/images", json={"name": "once"})
        self.assertEqual(201, answer.status_code)
        self.assert_goes_on(before)
        names = [image["name"] for image in self.service.request("GET", "/v2/images").json()["images"]]
        self.assertEqual(["disk", "once"], sorted(names))

    def test_a_registry_with_a_wrong_certificate_is_not_used(self):
        image, client = self.begin_upload()
        self.registry.stop(signal.SIGKILL)
        good = certificates()
        other = self.folder / "other"
        Authority(other).issue(REGISTRY, (), ("localhost",))
        shutil.copy(good / "ca.pem", other / "client-ca.pem")
        wrong = {"certificate": other / f"{REGISTRY}.pem", "key": other / f"{REGISTRY}-key.pem"}
        impostor = self.useFixture(
            Registry(f"sqlite:///{self.folder}/registry.db", self.registry.port, registry_service=wrong)
        )
        answer = self.service.request("POST", "/v2/images", json={"name": "never"})
        self.assertEqual(503, answer.status_code)
        impostor.stop()
        self.registry.start()
        self.assert_goes_on(image)
        self.end_upload(image, client)
        names = [image["name"] for image in self.service.request("GET", "/v2/images").json()["images"]]
        self.assertEqual(["disk"], names)

    def test_nothing_acknowledged_is_lost_or_done_twice_by_a_registry_that_is_killed_again_and_again(self):
        acknowledged, stopped = [], threading.Event()

        def create(thread):
            for number in itertools.count():
                if stopped.is_set():
                    return
                name = f"{thread}-{number}"
                answer = self.service.request("POST", "/v2/images", json={"name": name})
                if answer.status_code == 201:
                    acknowledged.append(name)

        threads = [threading.Thread(target=create, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            time.sleep(random.uniform(0.2, 1))
            self.registry.stop(signal.SIGKILL)
            self.registry.start()
        stopped.set()
        for thread in threads:
            thread.join(30)
        answer = self.service.request("GET", "/v2/images?limit=1000").json()
        self.assertNotIn("next", answer)
        names = [image["name"] for image in answer["images"]]
        self.assertEqual(len(set(names)), len(names), "each exists once")
        self.assertEqual(set(), set(acknowledged) - set(names))
        self.assertGreater(len(acknowledged), 10)

    def test_stopping_a_registry_in_order_loses_no_call(self):
        image = self.service.create_image()
        statuses = []

        def ask():
            while not stopped.is_set():
                statuses.append(self.service.request("GET", f"/v2/images/{image}").status_code)

        stopped = threading.Event()
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.registry.stop()
        self.registry.start()
        time.sleep(0.5)
        stopped.set()
        for thread in threads:
            thread.join(30)
        self.assertEqual({200}, set(statuses))


class TwoRegistriesTest(RegistryFaultTest):
    registries = 2

    def test_the_second_takes_over_when_the_first_is_killed(self):
        image, client = self.begin_upload()
        self.registry.stop(signal.SIGKILL)
        self.assert_goes_on(image)
        self.end_upload(image, client)

    def test_the_second_takes_over_when_the_first_hangs(self):
        image, client = self.begin_upload()
        self.registry.stop(signal.SIGSTOP)
        self.addCleanup(self.registry.stop, signal.SIGCONT)
        self.assert_goes_on(image)
        began = time.monotonic()
        self.end_upload(image, client)
        self.assertLess(time.monotonic() - began, WITHIN, "the first is not asked again by each call")

    def test_uploads_and_imports_go_on_when_one_after_the_other_is_killed(self):
        acknowledged = []
        for registry in (*self.started, self.registry):
            uploads = [self.begin_upload() for _ in range(2)]
            imported = self.service.create_image()
            self.assertEqual(204, stage(self.service, imported, b"x" * UPLOAD).status_code)
            begin_import(self.service, imported, DIRECT)
            registry.stop(signal.SIGKILL)
            self.assert_goes_on(imported)
            began = time.monotonic()
            created = self.service.create_image()
            self.assertEqual(204, self.service.upload(created, b"x" * UPLOAD).status_code)
            self.assertLess(time.monotonic() - began, WITHIN)
            for image, client in uploads:
                self.end_upload(image, client)
            found, task = end_of_import(self.service, imported)
            self.assertEqual(("active", "success"), (found["status"], task["status"]))
            acknowledged += [imported, created, *(image for image, _ in uploads)]
            registry.start()
        for image in acknowledged:
            answer = self.service.request("GET", f"/v2/images/{image}/file")
            self.assertEqual((200, b"x" * UPLOAD), (answer.status_code, answer.content))

    def test_the_first_is_used_again_when_it_is_back(self):
        image = self.service.create_image()
        self.registry.stop(signal.SIGKILL)
        self.assert_goes_on(image)
        self.registry.start()
        self.started[1].stop(signal.SIGKILL)
        self.assert_goes_on(image)


class RotationTest(RegistryFaultTest):
    """The registry and the node have certificates of their own in this test, which change."""

    def make(self, connection):
        self.tls = self.folder / "tls"
        self.authority = Authority(self.tls)
        self.authority.issue(REGISTRY, (), ("localhost",))
        self.authority.issue(NODE, ROLES[NODE])
        names = {"certificate": f"{REGISTRY}.pem", "key": f"{REGISTRY}-key.pem", "client_ca": "ca.pem"}
        options = {name: self.tls / file for name, file in names.items()}
        return Registry(connection, free_port(), registry_service={**options, "keepalive": 1})

    def serve(self):
        return start_service(self, node_options(self.registry.port, folder=self.tls), LEASES)

    def test_certificates_of_both_sides_are_replaced_without_a_restart(self):
        image, client = self.begin_upload()
        self.authority.issue(REGISTRY, (), ("localhost",), renew=True)
        self.authority.issue(NODE, ROLES[NODE], renew=True)
        wait_for(lambda: "were read again" in self.service.log.read_text(), "the node reads its certificate again")
        wait_for(lambda: "were read again" in self.registry.log.read_text(), "the registry reads its certificate again")
        self.assert_goes_on(image)
        self.end_upload(image, client)

    def test_another_authority_takes_over_without_a_restart(self):
        image = self.service.create_image()
        next_one = self.folder / "next"
        authority = Authority(next_one)
        authority.issue(REGISTRY, (), ("localhost",))
        authority.issue(NODE, ROLES[NODE])
        for name in (f"{NODE}-key.pem", f"{NODE}.pem", f"{REGISTRY}-key.pem", f"{REGISTRY}.pem", "ca.pem"):
            (next_one / name).replace(self.tls / name)
        wait_for(lambda: self.service.request("GET", f"/v2/images/{image}").status_code == 200, "both have the new one")
        self.assert_goes_on(image)
